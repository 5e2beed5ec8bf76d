// SPDX-License-Identifier: MIT
// Oracle: AddedVocabulary of Hugging Face tokenizers, its rules applied by hand.
#include "tokenizer/added_tokens.h"

#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/message.h"
#include "tokenizer/encoding_vocabularies.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

/// Parts as "text" or "[id:text]", joined.
std::string split(const AddedTokens& tokens, std::string_view text, bool parse_special = true) {
  std::string shown;
  const TextRange all{0, text.size()};
  for (const TextPart& part : tokens.split(text, {&all, parse_special ? 1U : 0U})) {
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

TEST(AddedTokens, ControlTokensOnlyWithinTheRanges) {
  const AddedTokens tokens({entry(1, "<c>", {}, true), entry(2, "<u>")});
  const auto found = [&](const std::vector<TextRange>& control) {
    std::string places;
    std::size_t at = 0;
    for (const TextPart& part : tokens.split("<c><u><c><c>x", control)) {
      if (part.token) places += message(at, " ");
      at += part.text.size();
    }
    return places;
  };
  EXPECT_EQ(found({}), "3 ");
  EXPECT_EQ(found({{0, 3}}), "0 3 ");
  EXPECT_EQ(found({{0, 2}, {7, 12}}), "3 9 ");
  EXPECT_EQ(found({{1, 9}, {10, 13}}), "3 6 ");
  EXPECT_EQ(found({{0, 5}, {6, 9}, {12, 13}}), "0 3 6 ");
}

TEST(AddedTokens, RangesOfAPart) {
  const std::vector<TextRange> ranges = {{2, 4}, {6, 8}, {10, 20}};
  const auto shown = [&](TextRange window) {
    std::string text;
    for (const TextRange& range : clipped(ranges, window)) {
      text += message(range.begin, "-", range.end, " ");
    }
    return text;
  };
  EXPECT_EQ(shown({0, 30}), "2-4 6-8 10-20 ");
  EXPECT_EQ(shown({3, 11}), "0-1 3-5 7-8 ");
  EXPECT_EQ(shown({4, 6}), "");
  EXPECT_EQ(shown({12, 14}), "0-2 ");
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

/// Places of segments move with the normalizer: "e" and U+0301 become one character, a blank three
/// bytes.
TEST(AddedTokens, SegmentsOfNormalizedText) {
  const auto count = [](TokenizerData data, const std::vector<TextSegment>& segments) {
    const TokenId id =
        test::add_token(data, "<n>", {.special = true, .normalized = true}, TokenType::control);
    return std::ranges::count(Tokenizer(data).encode(segments), id);
  };
  TokenizerData sentencepiece = test::any_bytes_sentencepiece(false);
  EXPECT_EQ(count(sentencepiece, {{"a  <n>", false}, {"<n> ", true}, {" <n>", false}}), 1);
  EXPECT_EQ(count(sentencepiece, {{" <n>", true}, {"  <n>a", false}, {"  <n>", true}}), 2);
  EXPECT_EQ(count(sentencepiece, {{"<n> <", true}, {"n>", false}}), 1);
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  TokenizerData nfc = test::any_bytes_byte_level();
  nfc.nfc = true;
  const std::string decomposed = "e\u0301e\u0301e\u0301";
  EXPECT_EQ(count(nfc, {{decomposed + "<n>", false}, {"<n>", true}, {"<n>", false}}), 1);
  EXPECT_EQ(count(nfc, {{decomposed + "<n>", true}, {"<n>", false}, {decomposed, true}}), 1);
  EXPECT_EQ(count(nfc, {{"<n>e", false}, {"\u0301<n>", true}}), 1) << "composed across";
}

}  // namespace
}  // namespace bitnet
