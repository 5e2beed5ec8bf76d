// SPDX-License-Identifier: MIT
// The byte code of t16p: five trits of which each depends on six of the byte's eight bits alone, so
// that one permutation of 64 bytes, whose indices are six bits wide, unpacks a trit of a whole tile
// without a mask or a remainder.
//
//   low view    bits 0 1 2 3 4 5    digits 0 and 1
//   high view   bits 2 3 4 5 6 7    digits 2 and 3
//   outer view  bits 0 1 2 3 6 7    digit 4
//
// A point of a view is four bytes. Each of the nine values of a pair needs 27 bytes, so 7 points:
// 63 of the 64, which leaves a pair one point to spare. (A view of three digits would need 27 times
// 3 points.) That the three views can be filled so that all 243 patterns occur was found by
// simulated annealing on the number of those that do not; kT16pOfT16 proves it. Of thirteen
// patterns that two bytes have, the lower is written. Byte 0 is five weights of zero.
#pragma once

#include <cstdint>

namespace bitnet {

/// digit_0 + 3 digit_1 by low view, digit_2 + 3 digit_3 by high view, digit_4 by outer view.
inline constexpr char kPermutedLow[] =
    "4012035546272874417658268358163485763018143086328627570351027140";
inline constexpr char kPermutedHigh[] =
    "4012110351626334067523408155055562817436628547807136277487880423";
inline constexpr char kPermutedOuter[] =
    "1000001201010201012021211000022100121221211021222011212100021222";

constexpr unsigned low_view(unsigned byte) { return byte & 63; }
constexpr unsigned high_view(unsigned byte) { return byte >> 2; }
constexpr unsigned outer_view(unsigned byte) { return (byte & 15) | (byte >> 2 & 48); }

// Internal linkage, as kernel files may offer no symbol but their table.
struct ByteTable {
  alignas(64) std::uint8_t bytes[256];
};

/// The same five trits in base 3: the t16 byte of a t16p byte.
constexpr ByteTable kT16OfT16p = [] {
  ByteTable table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const int low = kPermutedLow[low_view(byte)] - '0';
    const int high = kPermutedHigh[high_view(byte)] - '0';
    const int outer = kPermutedOuter[outer_view(byte)] - '0';
    table.bytes[byte] = static_cast<std::uint8_t>(low + 9 * high + 81 * outer);
  }
  return table;
}();

/// And back, for the 243 values of a t16 byte.
constexpr ByteTable kT16pOfT16 = [] {
  ByteTable table{};
  unsigned patterns = 0;
  bool found[243] = {};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const unsigned pattern = kT16OfT16p.bytes[byte];
    if (!found[pattern]) {
      found[pattern] = true;
      ++patterns;
      table.bytes[pattern] = static_cast<std::uint8_t>(byte);
    }
  }
  return patterns == 243 ? table : throw "t16p: a pattern of trits has no byte";
}();

}  // namespace bitnet
