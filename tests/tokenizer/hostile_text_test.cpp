// SPDX-License-Identifier: MIT
// Texts made to be slow or to break things. Oracle: the text comes back; the time is bounded by
// ctest, and a quadratic step over a megabyte would take hours.
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include "tokenizer/encoding_vocabularies.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;

std::string repeated(std::string_view unit) {
  std::string text;
  while (text.size() < kMegabyte) text += unit;
  return text;
}

/// Powers of "a" and of " ", each merged from two halves, and tokens that begin alike.
TokenizerData vocabulary(const char* pre) {
  std::vector<std::string> tokens;
  std::vector<std::string> merges;
  for (const std::string letter : {"a", "\u0120", "\u010a"}) {
    std::string half = letter;
    for (int i = 0; i < 7; ++i) {
      merges.push_back(half + " " + half);
      half += half;
      tokens.push_back(half);
    }
  }
  TokenizerData data = test::byte_vocabulary(tokens);
  data.merges = merges;
  data.pre = pre;
  for (int i = 0; i < 300; ++i) {
    test::add_token(data, "<|reserved_" + std::to_string(i) + "|>",
                    {.lstrip = true, .rstrip = true});
  }
  return data;
}

TEST(HostileText, AMegabyteOfAnything) {
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  for (const char* pre : {"llama-bpe", "default"}) {
    const Tokenizer tokenizer(vocabulary(pre));
    for (const char* unit : {"a",
                             " ",
                             "\n",
                             " \n",
                             "\r",
                             ".",
                             "1",
                             "'",
                             "'s",
                             "\u00e9",
                             "\u0301",
                             "\u3000",
                             "\xff",
                             "\xe2\x82",
                             "\xc3",
                             "<",
                             "<|",
                             "<|reserved_",
                             "<|reserved_1",
                             " a",
                             "a ",
                             "\u1100\u1161\u11a8",
                             "\u200d"}) {
      const std::string text = repeated(unit);
      ASSERT_TRUE(tokenizer.decode(tokenizer.encode(text)) == text) << pre << " '" << unit << "'";
    }
    // Spaces that end in a letter: matches fail late.
    const std::string late = repeated(" ") + "x" + repeated("\t") + "\xff" + repeated(" ");
    ASSERT_TRUE(tokenizer.decode(tokenizer.encode(late)) == late);
    // Tokens that take along white space, over and over.
    EXPECT_GT(tokenizer.encode(repeated("<|reserved_7|>  ")).size(), 60000U);
  }
}

TEST(HostileText, AMegabyteToCompose) {
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  TokenizerData data = vocabulary("qwen2");
  data.nfc = true;
  const Tokenizer tokenizer(data);
  for (const char* unit : {"\u0301", "\xff\u0301", "e\u0301", "\u0315\u0301"}) {
    EXPECT_FALSE(tokenizer.encode(repeated(unit)).empty());
  }
  const std::string syllable = "\u1100\u1161\u11a8";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(repeated(syllable))).size(),
            repeated(syllable).size() / 3);
}

TEST(HostileText, AMegabyteForSentencePiece) {
  TokenizerData data = vocabulary("default");
  data.model = TokenizerModel::sentencepiece_bpe;
  data.scores.assign(data.tokens.size(), 0.0F);
  data.merges.clear();
  data.add_space_prefix = false;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    data.tokens.push_back(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">");
    data.types.push_back(TokenType::byte);
    data.scores.push_back(0);
  }
  data.tokens.emplace_back("\u2581");
  data.types.push_back(TokenType::normal);
  data.scores.push_back(0);
  const Tokenizer tokenizer(data);
  for (const char* unit : {"a", " ", "\n", "\u00e9", "\xff", "\xe2\x82", "<|reserved_", " a"}) {
    const std::string text = repeated(unit);
    ASSERT_TRUE(tokenizer.decode(tokenizer.encode(text)) == text) << unit;
  }
}

}  // namespace
}  // namespace bitnet
