// SPDX-License-Identifier: MIT
// Packed tiles written weight by weight from the words of their description: 64 bytes hold 16 rows,
// lane = row; dword r belongs to row r; field i of its byte b is the digit w + 1 of input
// k0 + 4 i + b, in base 3 (t16, 20 inputs) or 4 (t2, 16 inputs). Two tiles side by side make 32
// rows of a step, steps ascend, then panels of 32 rows. Padding is digit 1. A t16p byte is the
// lowest whose digits, by the three strings of docs/formats/packed_ternary.md, are the five.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace bitnet::reference {

struct TileFormat {
  std::size_t step_inputs;
  int base;
  bool permuted = false;

  std::size_t steps(std::size_t inputs) const { return (inputs + step_inputs - 1) / step_inputs; }
};
inline constexpr TileFormat kTile16{20, 3};
inline constexpr TileFormat kTile2{16, 4};
inline constexpr TileFormat kTile16p{20, 3, true};

/// The base-3 value of a t16p byte.
inline int permuted_value(int byte) {
  constexpr std::string_view kBits0To5 =
      "4012035546272874417658268358163485763018143086328627570351027140";
  constexpr std::string_view kBits2To7 =
      "4012110351626334067523408155055562817436628547807136277487880423";
  constexpr std::string_view kBits0To3And6To7 =
      "1000001201010201012021211000022100121221211021222011212100021222";
  const int digits_0_1 = kBits0To5[static_cast<std::size_t>(byte % 64)] - '0';
  const int digits_2_3 = kBits2To7[static_cast<std::size_t>(byte / 4)] - '0';
  const int digit_4 = kBits0To3And6To7[static_cast<std::size_t>(byte % 16 + byte / 64 * 16)] - '0';
  return digits_0_1 + 9 * digits_2_3 + 81 * digit_4;
}

inline int permuted_byte(int value) {
  int byte = 0;
  while (permuted_value(byte) != value) ++byte;
  return byte;
}

inline std::vector<std::uint8_t> naive_tiles(const std::vector<std::int8_t>& trits,
                                             std::size_t inputs, TileFormat format) {
  const std::size_t rows = trits.size() / inputs;
  const std::size_t panels = (rows + 31) / 32;
  std::vector<std::uint8_t> tiles;
  for (std::size_t panel = 0; panel < panels; ++panel) {
    for (std::size_t step = 0; step < format.steps(inputs); ++step) {
      for (std::size_t row = panel * 32; row < (panel + 1) * 32; ++row) {
        for (std::size_t byte = 0; byte < 4; ++byte) {
          int value = 0;
          int place = 1;
          for (std::size_t field = 0; field < format.step_inputs / 4; ++field) {
            const std::size_t k = step * format.step_inputs + 4 * field + byte;
            const bool exists = row < rows && k < inputs;
            value += place * (exists ? trits[row * inputs + k] + 1 : 1);
            place *= format.base;
          }
          tiles.push_back(
              static_cast<std::uint8_t>(format.permuted ? permuted_byte(value) : value));
        }
      }
    }
  }
  return tiles;
}

}  // namespace bitnet::reference
