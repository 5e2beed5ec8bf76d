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
  static const Tokenizer tokenizer(test::any_bytes_byte_level());
  check_round_trip(tokenizer, *any_text());
}

RC_GTEST_PROP(RoundTrip, SentencePieceGivesBackAnyBytes, ()) {
  static const Tokenizer with(test::any_bytes_sentencepiece(true));
  static const Tokenizer without(test::any_bytes_sentencepiece(false));
  const std::string text = *any_text();
  check_round_trip(with, text);
  check_round_trip(without, text);
}

}  // namespace
}  // namespace bitnet
