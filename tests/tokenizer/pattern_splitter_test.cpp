// SPDX-License-Identifier: MIT
// Oracle: the patterns read by hand, with Unicode's classes.
#include "tokenizer/pattern_splitter.h"

#include <gtest/gtest.h>

#include "formats/hostile_bytes.h"
#include "tokenizer/pre_tokenizer_name.h"

namespace bitnet {
namespace {

using Strings = std::vector<std::string>;

Strings split_by(std::span<const std::string_view> patterns, std::string_view text) {
  Strings pieces;
  PatternSplitter(patterns).split(text,
                                  [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

Strings split(const char* name, std::string_view text) {
  return split_by(find_pre_tokenizer(name)->patterns, text);
}

class PatternSplitting : public testing::Test {
 protected:
  void SetUp() override {
    if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  }
};

TEST_F(PatternSplitting, Llama3) {
  EXPECT_EQ(split("llama-bpe", "Hello world, it's 12345!"),
            (Strings{"Hello", " world", ",", " it", "'s", " ", "123", "45", "!"}));
  EXPECT_EQ(split("llama-bpe", "a   b\n\n  c \n"),
            (Strings{"a", "  ", " b", "\n\n", " ", " c", " \n"}));
  EXPECT_EQ(split("llama-bpe", "x();\n\ty"), (Strings{"x", "();\n", "\ty"}));
  EXPECT_EQ(split("llama-bpe", "I'LL"), (Strings{"I", "'LL"}));
  EXPECT_EQ(split("llama-bpe", ""), Strings{});
}

TEST_F(PatternSplitting, Others) {
  EXPECT_EQ(split("qwen2", "12 a"), (Strings{"1", "2", " a"}));
  EXPECT_EQ(split("gpt-2", "I'LL I'll 12345 !?"),
            (Strings{"I", "'", "LL", " I", "'ll", " 12345", " !?"}));
  // Each pattern cuts what the one before left whole.
  EXPECT_EQ(split("falcon", "a`b 12345."), (Strings{"a", "`", "b", " ", "123", "45", "."}));
  EXPECT_EQ(split("default", "x=1234"), (Strings{"x", "=", "123", "4"}));
}

// Oniguruma's classes are Unicode's: U+0085 is white space, U+180E and U+FEFF are not; and without
// regard to case, U+017F is an s.
TEST_F(PatternSplitting, ClassesAreUnicodes) {
  EXPECT_EQ(split("llama-bpe", "!\u0085!"), (Strings{"!", "\u0085", "!"}));
  EXPECT_EQ(split("llama-bpe", "!\u180e!"), (Strings{"!\u180e!"}));
  EXPECT_EQ(split("llama-bpe", "!\ufeff!"), (Strings{"!\ufeff!"}));
  EXPECT_EQ(split("llama-bpe", "a'\u017fx"), (Strings{"a", "'\u017f", "x"}));
  EXPECT_EQ(split("gpt-2", "a'\u017fx"), (Strings{"a", "'", "\u017fx"}));
  EXPECT_EQ(split("llama-bpe", "\u00bd\u2167\u0663x"), (Strings{"\u00bd\u2167\u0663", "x"}));
  EXPECT_EQ(split("llama-bpe", "e\u0301a"), (Strings{"e", "\u0301a"}));
}

TEST_F(PatternSplitting, BadPatternsAreNamed) {
  const std::vector<std::string_view> bad = {"a(b"};
  test::expect_error<InvalidArgument>([&] { PatternSplitter{bad}; }, {"a(b"});
}

TEST_F(PatternSplitting, EmptyMatchesCutNothing) {
  const std::vector<std::string_view> patterns = {"b*"};
  EXPECT_EQ(split_by(patterns, "abba"), (Strings{"a", "bb", "a"}));
  EXPECT_EQ(split_by({}, "ab"), (Strings{"ab"}));
}

TEST(NoPatternSplitting, WithoutPcre2IsSaid) {
  if (PatternSplitter::is_available()) GTEST_SKIP() << "this build has PCRE2";
  test::expect_error<UnsupportedError>([] { split("gpt-2", "a"); }, {"PCRE2"});
}

}  // namespace
}  // namespace bitnet
