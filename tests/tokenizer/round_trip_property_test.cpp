// SPDX-License-Identifier: MIT
// Oracle: the text itself, which its ids must give back.
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tokenizer/encoding_vocabularies.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

/// Byte strings in which characters, pieces of characters and merges all occur.
rc::Gen<std::string> any_text() {
  const auto piece = rc::gen::element<std::string>(
      "a", "b", "ab", " ", "  ", "\n", "'s", "12", "\u00e9", "\u0301", "\u4f60", "\U0001f44d",
      "\xf0", "\x9f", "\x91", "\xc3", "\xff", "\x80", "<|c|>", "<u>", std::string(1, '\0'));
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string text;
                        for (const std::string& next : pieces) text += next;
                        return text;
                      });
}

TokenizerData byte_level() {
  TokenizerData data = test::byte_vocabulary({"ab", "abab", "\u0120a"});
  data.merges = {"a b", "ab ab", "\u0120 a"};
  data.pre = "llama-bpe";
  test::add_token(data, "<|c|>", {.special = true}, TokenType::control);
  test::add_token(data, "<u>");
  return data;
}

/// With all bytes, "a", "b" and U+2581.
TokenizerData sentencepiece(bool add_space_prefix) {
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

std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Detokenizer detokenizer(tokenizer, true);
  std::string text;
  for (const TokenId id : ids) text += detokenizer.add(id);
  return text + detokenizer.flush();
}

void check_round_trip(const Tokenizer& tokenizer, const std::string& text) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(text, {.add_special = false, .parse_special = parse_special});
    RC_ASSERT(tokenizer.decode(ids, true) == text);
    RC_ASSERT(streamed(tokenizer, ids) == text);
  }
}

RC_GTEST_PROP(RoundTrip, ByteLevelGivesBackAnyBytes, ()) {
  if (!PatternSplitter::is_available()) return;
  static const Tokenizer tokenizer(byte_level());
  check_round_trip(tokenizer, *any_text());
}

RC_GTEST_PROP(RoundTrip, SentencePieceGivesBackAnyBytes, ()) {
  static const Tokenizer with(sentencepiece(true));
  static const Tokenizer without(sentencepiece(false));
  const std::string text = *any_text();
  check_round_trip(with, text);
  check_round_trip(without, text);
}

}  // namespace
}  // namespace bitnet
