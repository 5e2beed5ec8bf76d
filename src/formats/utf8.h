// SPDX-License-Identifier: MIT
// Whether bytes are UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace bitnet {

/// By Unicode's table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
inline bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) {
      continue;
    }
    if (lead < 0xc2 || lead > 0xf4) {
      return false;
    }
    const int continuations = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    // Only the second byte has a range of its own after these four leads.
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (int k = 0; k < continuations; ++k, low = 0x80, high = 0xbf) {
      if (i == text.size()) {
        return false;
      }
      const auto byte = static_cast<unsigned char>(text[i++]);
      if (byte < low || byte > high) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace bitnet
