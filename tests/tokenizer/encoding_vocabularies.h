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

/// Byte-level BPE with merges, a control token and a user's token; no normalizer.
inline TokenizerData any_bytes_byte_level() {
  TokenizerData data = byte_vocabulary({"ab", "abab", "\u0120a"});
  data.merges = {"a b", "ab ab", "\u0120 a"};
  data.pre = "llama-bpe";
  add_token(data, "<|c|>", {.special = true}, TokenType::control);
  add_token(data, "<u>");
  return data;
}

/// SentencePiece BPE with all bytes, "a", "b" and U+2581.
inline TokenizerData any_bytes_sentencepiece(bool add_space_prefix) {
  TokenizerData data;
  data.model = TokenizerModel::sentencepiece_bpe;
  for (int byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    data.tokens.push_back(std::string("<0x") + kDigits[static_cast<std::size_t>(byte) / 16] +
                          kDigits[static_cast<std::size_t>(byte) % 16] + ">");
    data.types.push_back(TokenType::byte);
  }
  for (const char* token : {"\u2581", "a", "b", "ab", "\u2581a", "\u2581\u2581"}) {
    data.tokens.emplace_back(token);
    data.types.push_back(TokenType::normal);
  }
  data.scores.assign(data.tokens.size(), 0.0F);
  data.add_space_prefix = add_space_prefix;
  return data;
}

}  // namespace bitnet::test
