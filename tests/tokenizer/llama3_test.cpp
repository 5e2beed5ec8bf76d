// SPDX-License-Identifier: MIT
// Oracle: Llama 3's published tokenizer.json, which may not be redistributed: the path is given by
// the environment variable BITNET_LLAMA3_TOKENIZER, without it the tests are skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer/hugging_face_tokenizer.h"
#include "tokenizer/tiktoken_file.h"

namespace bitnet {
namespace {

class Llama3 : public testing::Test {
 protected:
  void SetUp() override {
    const char* const path = std::getenv("BITNET_LLAMA3_TOKENIZER");
    if (path == nullptr) GTEST_SKIP() << "BITNET_LLAMA3_TOKENIZER is not set";
    std::ifstream file(path, std::ios::binary);
    HuggingFaceTexts texts;
    texts.tokenizer_json.assign(std::istreambuf_iterator<char>(file), {});
    texts.tokenizer_config_json =
        R"({"bos_token":"<|begin_of_text|>","eos_token":"<|end_of_text|>"})";
    data_ = read_hugging_face(texts, path, {.vocab_size = 128256});
  }

  TokenizerData data_;
};

TEST_F(Llama3, HasThePublishedNumbers) {
  EXPECT_EQ(data_.tokens.size(), 128256U);
  EXPECT_EQ(data_.merges.size(), 280147U);
  EXPECT_EQ(data_.added.size(), 256U);
  EXPECT_EQ(data_.pre, "llama-bpe");
  EXPECT_TRUE(data_.ignore_merges);
  EXPECT_EQ(data_.bos, 128000U);
  EXPECT_EQ(data_.eos, 128001U);
  EXPECT_EQ(data_.eot, 128009U);
}

std::string base64(const std::string& bytes) {
  static const std::string kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

TEST_F(Llama3, TheTiktokenFileGivesTheSameTokenizer) {
  std::ostringstream file;
  for (std::size_t id = 0; id < 128000; ++id) {
    file << base64(from_byte_alphabet(data_.tokens[id]).value()) << ' ' << id << '\n';
  }
  const TokenizerData data = read_tiktoken(file.str(), "tokenizer.model");
  EXPECT_TRUE(data.tokens == data_.tokens);
  EXPECT_TRUE(data.types == data_.types);
  EXPECT_TRUE(data.merges == data_.merges);
  EXPECT_EQ(data.bos, data_.bos);
  EXPECT_EQ(data.eos, data_.eos);
}

TEST_F(Llama3, RoundTripsGiveTheSameTokenizer) {
  const TokenizerData back = read_hugging_face(write_hugging_face(data_), "folder", {});
  EXPECT_TRUE(back.tokens == data_.tokens);
  EXPECT_TRUE(back.types == data_.types);
  EXPECT_TRUE(back.merges == data_.merges);
  EXPECT_TRUE(back.added == data_.added);
  EXPECT_EQ(back.pre, data_.pre);
  EXPECT_EQ(back.eot, data_.eot);
  EXPECT_EQ(back.add_bos, data_.add_bos);
  EXPECT_EQ(write_gguf_tokenizer(back).size(), write_gguf_tokenizer(data_).size());
}

}  // namespace
}  // namespace bitnet
