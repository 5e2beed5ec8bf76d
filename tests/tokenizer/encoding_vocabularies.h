// SPDX-License-Identifier: MIT
// Vocabularies that can encode any text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer_data.h"

namespace bitnet::test {

/// The id of a byte in byte_vocabulary().
constexpr TokenId byte_token(char byte) { return static_cast<unsigned char>(byte); }

/// All bytes as tokens 0 to 255, then `tokens`; GPT-2's patterns, no merges.
inline TokenizerData byte_vocabulary(const std::vector<std::string>& tokens) {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) {
    data.tokens.push_back(to_byte_alphabet(std::string(1, static_cast<char>(byte))));
  }
  data.tokens.insert(data.tokens.end(), tokens.begin(), tokens.end());
  data.types.assign(data.tokens.size(), TokenType::normal);
  data.pre = "gpt-2";
  return data;
}

/// Appends an added token; returns its id.
inline TokenId add_token(TokenizerData& data, const std::string& text, AddedToken flags = {},
                         TokenType type = TokenType::user_defined) {
  flags.id = static_cast<TokenId>(data.tokens.size());
  data.tokens.push_back(text);
  data.types.push_back(type);
  data.added.push_back(flags);
  return flags.id;
}

}  // namespace bitnet::test
