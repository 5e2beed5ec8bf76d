// SPDX-License-Identifier: MIT
#include "tokenizer/byte_alphabet.h"

#include <array>
#include <cstddef>

namespace bitnet {
namespace {

constexpr std::size_t kFirstShifted = 0x100;
constexpr std::size_t kShifted = 68;

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/// [256]: the code point of each byte.
constexpr std::array<unsigned, 256> kCodePoints = [] {
  std::array<unsigned, 256> code_points{};
  unsigned shifted = kFirstShifted;
  for (unsigned byte = 0; byte < 256; ++byte) {
    code_points[byte] = stands_for_itself(byte) ? byte : shifted++;
  }
  return code_points;
}();
static_assert(kCodePoints[0xad] == kFirstShifted + kShifted - 1);

/// [0x144]: the byte of each code point, -1 for none.
constexpr std::array<int, kFirstShifted + kShifted> kBytes = [] {
  std::array<int, kFirstShifted + kShifted> bytes{};
  bytes.fill(-1);
  for (int byte = 0; byte < 256; ++byte) {
    bytes[kCodePoints[static_cast<std::size_t>(byte)]] = byte;
  }
  return bytes;
}();

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const unsigned code_point = kCodePoints[static_cast<unsigned char>(byte)];
    if (code_point < 0x80) {
      text.push_back(static_cast<char>(code_point));
    } else {
      text.push_back(static_cast<char>(0xc0 | code_point >> 6));
      text.push_back(static_cast<char>(0x80 | (code_point & 0x3f)));
    }
  }
  return text;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t code_point = static_cast<unsigned char>(text[i]);
    if (code_point >= 0x80) {
      // The alphabet ends at U+0143, so two bytes of UTF-8 suffice.
      if (++i == text.size() || (code_point & 0xe0) != 0xc0 || (text[i] & 0xc0) != 0x80) {
        return std::nullopt;
      }
      code_point = (code_point & 0x1f) << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
      if (code_point < 0x80) {
        return std::nullopt;
      }
    }
    if (code_point >= kBytes.size() || kBytes[code_point] < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(kBytes[code_point]));
  }
  return bytes;
}

}  // namespace bitnet
