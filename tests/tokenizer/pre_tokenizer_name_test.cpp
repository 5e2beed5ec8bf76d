// SPDX-License-Identifier: MIT
// Oracle: patterns as published in the tokenizer.json files and tiktoken sources of the models that
// each name stands for.
#include "tokenizer/pre_tokenizer_name.h"

#include <gtest/gtest.h>

#include "formats/hostile_bytes.h"

namespace bitnet {
namespace {

const std::string kTail = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})" + kTail;
const std::string kQwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" + kTail;
const std::string kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string name_of(const std::vector<std::string>& patterns, bool ignore_merges = true,
                    std::size_t vocab_size = 128256, std::optional<TokenId> eos = 128001) {
  return pre_tokenizer_name(patterns, ignore_merges, vocab_size, eos);
}

TEST(PreTokenizerName, KnownModels) {
  EXPECT_EQ(name_of({kLlama3}), "llama-bpe");
  EXPECT_EQ(name_of({kLlama3}, false), "smaug-bpe");
  EXPECT_EQ(name_of({kLlama3}, false, 131072, 11), "falcon3");
  EXPECT_EQ(name_of({kLlama3}, false, 32768, 11), "falcon-h1");
  EXPECT_EQ(name_of({kLlama3}, true, 32768, 2), "llama-bpe");
  EXPECT_EQ(name_of({kQwen2}, false, 151936), "qwen2");
  EXPECT_EQ(name_of({kGpt2}, false, 50257), "gpt-2");
  EXPECT_EQ(name_of({R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, "[0-9][0-9][0-9]"}, false), "falcon");
}

TEST(PreTokenizerName, Spellings) {
  for (const char* contractions : {"(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)",
                                   "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"}) {
    EXPECT_EQ(name_of({contractions + std::string(R"(|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3})"
                                                  R"(| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n])"
                                                  R"(|\s+(?!\S)|\s+)")}),
              "llama-bpe")
        << contractions;
  }
  EXPECT_EQ(name_of({"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                     "| ?[^\\s\\p{L}\\p{N}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"}),
            "llama-bpe")
      << "line breaks as characters";
  EXPECT_EQ(name_of({R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"}),
            "gpt-2");
}

TEST(PreTokenizerName, OthersAreNamedInTheError) {
  test::expect_error<UnsupportedError>(
      [] {
        name_of({kLlama3, kGpt2});
      },
      {kLlama3 + " then " + kGpt2, "llama-bpe", "qwen2", "gpt-2"});
  test::expect_error<UnsupportedError>([] { name_of({}); }, {"found none"});
  test::expect_error<UnsupportedError>([] { name_of({"\\s+"}); }, {"\\s+"});
}

TEST(PreTokenizerName, EveryNameIsFound) {
  EXPECT_EQ(find_pre_tokenizer("llama3")->patterns[0], kLlama3);
  EXPECT_TRUE(find_pre_tokenizer("falcon_e")->ignore_merges);
  EXPECT_EQ(find_pre_tokenizer("qwen2")->patterns[0], kQwen2);
  EXPECT_FALSE(find_pre_tokenizer("qwen2")->ignore_merges);
  EXPECT_EQ(find_pre_tokenizer("default")->patterns.size(), 4U);
  EXPECT_EQ(find_pre_tokenizer("no such name"), nullptr);
}

}  // namespace
}  // namespace bitnet
