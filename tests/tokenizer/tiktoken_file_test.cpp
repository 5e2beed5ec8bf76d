// SPDX-License-Identifier: MIT
// Oracle: a vocabulary small enough to find all splits by eye, base64 as RFC 4648's test vectors,
// and Llama 3's published names of special tokens.
#include "tokenizer/tiktoken_file.h"

#include <gtest/gtest.h>

#include "formats/hostile_bytes.h"

namespace bitnet {
namespace {

using test::expect_error;

/// f, o, b, " ", "oo", "fo", "foo" (f+oo and fo+o).
constexpr std::string_view kSmall = "Zg== 0\nbw== 1\nYg== 2\nIA== 3\nb28= 4\nZm8= 5\nZm9v 6\n";

TokenizerData read(std::string_view text) { return read_tiktoken(text, "tokenizer.model"); }

TEST(Tiktoken, ReadsTokensAndFindsMerges) {
  for (const bool has_last_line_break : {true, false}) {
    const TokenizerData data =
        read(kSmall.substr(0, kSmall.size() - (has_last_line_break ? 0 : 1)));
    ASSERT_EQ(data.tokens.size(), 7U + 256U);
    EXPECT_EQ((std::vector(data.tokens.begin(), data.tokens.begin() + 7)),
              (std::vector<std::string>{"f", "o", "b", "\u0120", "oo", "fo", "foo"}));
    EXPECT_EQ(data.merges, (std::vector<std::string>{"o o", "f o", "f oo", "fo o"}));
  }
}

TEST(Tiktoken, AppendsLlama3sSpecialTokens) {
  const TokenizerData data = read(kSmall);
  const auto special = [&](std::size_t i) { return data.tokens[7 + i]; };
  EXPECT_EQ(special(0), "<|begin_of_text|>");
  EXPECT_EQ(special(1), "<|end_of_text|>");
  EXPECT_EQ(special(2), "<|reserved_special_token_0|>");
  EXPECT_EQ(special(5), "<|reserved_special_token_3|>");
  EXPECT_EQ(special(6), "<|start_header_id|>");
  EXPECT_EQ(special(7), "<|end_header_id|>");
  EXPECT_EQ(special(8), "<|reserved_special_token_4|>");
  EXPECT_EQ(special(9), "<|eot_id|>");
  EXPECT_EQ(special(10), "<|reserved_special_token_5|>");
  EXPECT_EQ(special(255), "<|reserved_special_token_250|>");
  EXPECT_EQ(data.types[6], TokenType::normal);
  EXPECT_EQ(data.types[7], TokenType::control);
  EXPECT_EQ(data.added.size(), 256U);
  EXPECT_EQ(data.bos, 7U);
  EXPECT_EQ(data.eos, 8U);
  EXPECT_EQ(data.pre, "llama-bpe");
  EXPECT_TRUE(data.ignore_merges);
}

TEST(Tiktoken, BadLinesAreNamed) {
  for (const char* line : {"Zg=", "Zg", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Z g=", "", "=",
                           "Z\xff==", "Zg== ", "Zg== 1x", "Zg== -1", "Zg==  1", "Zg== 1 "}) {
    const std::string text = std::string("bw== 0\n") + line + (*line ? "" : "\n");
    const std::string with_rank = text.find("== ") == text.rfind("== ") ? text + " 1\n" : text;
    expect_error<FormatError>([&] { read(with_rank); }, {"tokenizer.model", "line 2"});
  }
  expect_error<FormatError>([] { read("bw== 0\nZg== 2\n"); }, {"line 2", "rank 1", "rank 2"});
  expect_error<FormatError>([] { read("bw== 0\nZg== 0\n"); }, {"line 2", "rank 0"});
  expect_error<FormatError>([] { read("bw== 0\nbw== 1\n"); }, {"'o' with the ids 0 and 1"});
  const std::string long_token(1368, 'A');  // 1026 bytes
  expect_error<FormatError>([&] { read(long_token + " 0\n"); }, {"token 0", "1024"});
}

TEST(Tiktoken, IsToldByItsFirstLine) {
  EXPECT_TRUE(looks_like_tiktoken(kSmall));
  EXPECT_TRUE(looks_like_tiktoken("Zg== 0"));
  EXPECT_FALSE(looks_like_tiktoken(""));
  EXPECT_FALSE(looks_like_tiktoken("\x0a\x0e\x0a\x05<unk>"));
  EXPECT_FALSE(looks_like_tiktoken("Zg=="));
}

}  // namespace
}  // namespace bitnet
