// SPDX-License-Identifier: MIT
// JSON of unknown origin: parsed in linear time, refused before it can exhaust anything.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace bitnet {

struct JsonRules {
  std::size_t max_depth;    ///< parsed values are destroyed by recursion
  bool unique_keys = true;  ///< libraries disagree about which of two equal keys counts
  std::size_t offset = 0;   ///< of the text in its file, for messages
};

/// FormatError naming `file`, and the byte where there is one, for text that is no JSON in UTF-8,
/// nests too deep, repeats a key where that is refused, or holds a number beyond double.
nlohmann::json parse_checked_json(std::string_view text, const std::string& file,
                                  const JsonRules& rules);

/// What a message says it found: short, however long the text. Printing recurses as deep as values
/// nest, which the rules above bound.
std::string describe_json(const nlohmann::json& value);

}  // namespace bitnet
