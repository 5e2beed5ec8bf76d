// SPDX-License-Identifier: MIT
// Oracle: AddedVocabulary of Hugging Face tokenizers, its rules applied by hand.
#include "tokenizer/added_tokens.h"

#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include "base/message.h"
#include "tokenizer/encoding_vocabularies.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

/// Parts as "text" or "[id:text]", joined.
std::string split(const AddedTokens& tokens, std::string_view text, bool parse_special = true) {
  std::string shown;
  for (const TextPart& part : tokens.split(text, parse_special)) {
    shown +=
        part.token ? message("[", *part.token, ":", part.text, "]") : message("(", part.text, ")");
  }
  return shown;
}

AddedTokens::Entry entry(TokenId id, const std::string& text, AddedToken flags = {},
                         bool is_control = false) {
  flags.id = id;
  return {text, flags, is_control};
}

TEST(AddedTokens, LongestOfTheLeftmost) {
  const AddedTokens tokens({entry(1, "ab"), entry(2, "abc"), entry(3, "bcd"), entry(4, "b")});
  EXPECT_EQ(split(tokens, "abcd"), "[2:abc](d)");
  EXPECT_EQ(split(tokens, "abbcd"), "[1:ab][3:bcd]");
  EXPECT_EQ(split(tokens, "xbcx"), "(x)[4:b](cx)");
  EXPECT_EQ(split(tokens, ""), "");
  EXPECT_EQ(split(tokens, "xyz"), "(xyz)");
  EXPECT_EQ(split(tokens, "ab"), "[1:ab]");
  EXPECT_EQ(split(tokens, "a"), "(a)");
  EXPECT_EQ(split(AddedTokens({}), "abc"), "(abc)");
  EXPECT_EQ(split(AddedTokens({entry(1, "")}), "abc"), "(abc)");
}

TEST(AddedTokens, ControlTokensOnlyWhereAskedFor) {
  const AddedTokens tokens({entry(1, "<c>", {}, true), entry(2, "<u>"), entry(3, "c>")});
  EXPECT_EQ(split(tokens, "a<c><u>", true), "(a)[1:<c>][2:<u>]");
  // Passed over as a whole: what it contains is not looked at.
  EXPECT_EQ(split(tokens, "a<c><u>c>", false), "(a<c>)[2:<u>][3:c>]");
}

TEST(AddedTokens, WhiteSpaceTakenAlong) {
  const AddedTokens tokens({entry(1, "<l>", {.lstrip = true}), entry(2, "<r>", {.rstrip = true}),
                            entry(3, "<b>", {.lstrip = true, .rstrip = true})});
  EXPECT_EQ(split(tokens, "a \n<l> b"), "(a)[1: \n<l>]( b)");
  EXPECT_EQ(split(tokens, "a <r> \tb"), "(a )[2:<r> \t](b)");
  EXPECT_EQ(split(tokens, "\u3000<b>\u2028x"), "[3:\u3000<b>\u2028](x)");
  EXPECT_EQ(split(tokens, "<r>  <l>"), "[2:<r>  ][1:<l>]") << "taken once";
}

TEST(AddedTokens, WordsOfTheirOwn) {
  const AddedTokens tokens({entry(1, "go", {.single_word = true})});
  EXPECT_EQ(split(tokens, "go"), "[1:go]");
  EXPECT_EQ(split(tokens, "go, go!"), "[1:go](, )[1:go](!)");
  for (const char* text : {"ago", "gone", "\u00e9go", "go\u0301", "go_", "go1", "go\u200d"}) {
    EXPECT_EQ(split(tokens, text), message("(", text, ")"));
  }
  EXPECT_EQ(split(tokens, "\xffgo\xfe"), "(\xff)[1:go](\xfe)") << "no word is no UTF-8";
}

TEST(AddedTokens, NormalizedOnesAreFoundInNormalizedText) {
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  TokenizerData data = test::byte_vocabulary({});
  data.nfc = true;
  const TokenId raw = test::add_token(data, "\u00e9!");
  const TokenId normalized = test::add_token(data, "e\u0301?", {.normalized = true});
  const Tokenizer tokenizer(data);
  EXPECT_EQ(tokenizer.encode("\u00e9!"), (std::vector<TokenId>{raw}));
  EXPECT_EQ(tokenizer.encode("e\u0301!").size(), 3U) << "its text does not occur";
  EXPECT_EQ(tokenizer.encode("\u00e9?"), (std::vector<TokenId>{normalized}));
  EXPECT_EQ(tokenizer.encode("e\u0301?"), (std::vector<TokenId>{normalized}));
}

}  // namespace
}  // namespace bitnet
