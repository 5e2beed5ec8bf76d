// SPDX-License-Identifier: MIT
// The alphabet of byte-level BPE: every byte is one printable character.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bitnet {

/// Bytes 21-7E, A1-AC and AE-FF stand for the code point of the same number, the other 68 in
/// ascending order for U+0100, U+0101, ...
std::string to_byte_alphabet(std::string_view bytes);

/// nullopt when a character is not of the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace bitnet
