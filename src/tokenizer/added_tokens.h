// SPDX-License-Identifier: MIT
// Tokens that are cut out of a text before anything else.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// Part of a text: an added token, or text between.
struct TextPart {
  std::string_view text;  ///< with the white space that a token takes along
  std::optional<TokenId> token;
};

struct TextRange {
  std::size_t begin, end;
};

/// The part of `ranges`, which ascend, that lies in `window`, counted from its begin.
std::vector<TextRange> clipped(std::span<const TextRange> ranges, TextRange window);

/// Immutable; safe to use from many threads at once.
class AddedTokens {
 public:
  struct Entry {
    std::string text;
    AddedToken token;
    bool is_control;  ///< matched only where control tokens are asked for
  };
  explicit AddedTokens(std::vector<Entry> entries);

  /// As Hugging Face tokenizers does it: at the leftmost place where a token begins the longest
  /// one is taken. It is passed over as a whole when it is a control token and lies in none of the
  /// ranges `control`, which ascend and do not touch, or must be a word of its own and is none.
  /// lstrip and rstrip take white space along.
  std::vector<TextPart> split(std::string_view text, std::span<const TextRange> control) const;

 private:
  const Entry* longest_match(std::string_view text) const;

  std::vector<Entry> entries_;  // by text
  std::array<bool, 256> begins_token_{};
};

}  // namespace bitnet
