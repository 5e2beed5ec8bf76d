// SPDX-License-Identifier: MIT
// Oracles: SentencePiece's own processor for the ids; the text itself for the way back.
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>
#include <bitnet/train/train_tokenizer.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "corpus/sentencepiece_model.h"
#include "train/small_corpus.h"

namespace bitnet::train::test {
namespace {

namespace fs = std::filesystem;

const fs::path kProse = fs::path(BITNET_SOURCE_DIR) / "models/prose-nano/dev.txt";

std::string text_of(const fs::path& path) {
  const std::vector<std::byte> bytes = bitnet::test::read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> peculiar_texts() {
  return {"",
          " ",
          "a",
          " a",
          "  a  b   c    ",
          "\n",
          "\n\n The\nThe  The\r\n\r\n",
          "\tif (x) {\n\t\treturn 1234567890;\n\t}\n",
          "na\u00efve caf\u00e9 \u2014 \u201cquoted\u201d \u6f22\u5b57 "
          "\U0001f600\U0001f468\u200d\U0001f469",
          "e\u0301 \u1100\u1161 \u00a0 \u3000 \ufeff \u2028",
          "<s> </s> <unk> <pad> <0x41> <0x0A>",
          std::string(5000, 'a'),
          std::string(300, ' '),
          std::string(300, '\n')};
}

class TrainTokenizer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    std::string code;
    for (int i = 0; i < 500; ++i) {
      code += "    year = 1998;\r\n        year\t= 1998;\n";
    }
    sources_ = {kProse, folder_->write("code.txt", code)};
    train_tokenizer(sources_, kOptions, *folder_ / "new/tokenizer");
    tokenizer_ = new Tokenizer(load_tokenizer(*folder_ / "new/tokenizer"));
  }
  static void TearDownTestSuite() {
    delete tokenizer_;
    delete folder_;
  }
  static constexpr TokenizerTraining kOptions{.vocab_size = 1500};
  static TemporaryFolder* folder_;
  static inline Sources sources_;
  static Tokenizer* tokenizer_;
};
TemporaryFolder* TrainTokenizer::folder_ = nullptr;
Tokenizer* TrainTokenizer::tokenizer_ = nullptr;

TEST_F(TrainTokenizer, HasTheTokensThatWereAskedFor) {
  EXPECT_EQ(tokenizer_->vocab_size(), 1500U);
  EXPECT_EQ(tokenizer_->find("<unk>"), 0U);
  EXPECT_EQ(tokenizer_->bos(), 1U);
  EXPECT_EQ(tokenizer_->eos(), 2U);
  EXPECT_EQ(tokenizer_->find("<pad>"), 3U);
  EXPECT_EQ(tokenizer_->find("<0x00>"), 4U);
  EXPECT_TRUE(tokenizer_->adds_bos());
  EXPECT_TRUE(tokenizer_->find("\u2581Catherine").has_value());
  EXPECT_TRUE(tokenizer_->find("\u2581\u2581\u2581\u2581").has_value());
  for (TokenId id = 0; id < 4; ++id) {
    EXPECT_TRUE(tokenizer_->is_special(id));
  }
  for (TokenId id = 260; id < tokenizer_->vocab_size(); ++id) {
    const std::string bytes = tokenizer_->token_bytes(id);
    EXPECT_EQ(bytes.find_first_of("\t\r\n"), std::string::npos) << id;
    EXPECT_TRUE(bytes.size() == 1 || bytes.find_first_of("0123456789") == std::string::npos) << id;
  }
}

TEST_F(TrainTokenizer, EncodesAsSentencePieceDoes) {
  sentencepiece::SentencePieceProcessor processor;
  ASSERT_TRUE(processor.LoadFromSerializedProto(train_sentencepiece(sources_, kOptions)).ok());
  std::vector<std::string> texts = peculiar_texts();
  texts.push_back(text_of(kProse));
  for (const std::string& text : texts) {
    const std::vector<int> expected = processor.EncodeAsIds(text);
    const std::vector<TokenId> found = tokenizer_->encode(text, {.add_special = false});
    EXPECT_EQ(found, std::vector<TokenId>(expected.begin(), expected.end())) << text.substr(0, 100);
  }
}

TEST_F(TrainTokenizer, EveryTextComesBack) {
  std::vector<std::string> texts = peculiar_texts();
  texts.push_back(text_of(kProse));
  texts.emplace_back("\xff\xfe \x80 \xc3( \xe2\x82 \xf0\x9f\x98 end");
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) {
    all_bytes.push_back(static_cast<char>(byte));
  }
  texts.push_back(all_bytes);
  for (const std::string& text : texts) {
    EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(text)), text);
  }
}

TEST_F(TrainTokenizer, CompletionsContinueTheirPrompts) {
  const std::string prompt = "Catherine was";
  const std::string completion = " of course\nvery happy";
  std::vector<TokenId> ids = tokenizer_->encode(prompt);
  const std::vector<TokenId> rest = tokenizer_->encode(completion, {.add_special = false});
  ids.insert(ids.end(), rest.begin(), rest.end());
  EXPECT_EQ(tokenizer_->decode(ids), prompt + completion);
}

TEST_F(TrainTokenizer, GivesTheSameFilesAgain) {
  // Sampled, in two ways.
  const TokenizerTraining options{.vocab_size = 600, .max_bytes = 50000, .seed = 3};
  train_tokenizer({kProse}, options, *folder_ / "a");
  train_tokenizer({kProse}, options, *folder_ / "b");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    EXPECT_EQ(text_of(*folder_ / "a" / name), text_of(*folder_ / "b" / name));
  }
  train_tokenizer({kProse}, {.vocab_size = 600, .max_bytes = 50000, .seed = 4}, *folder_ / "c");
  EXPECT_NE(text_of(*folder_ / "a/tokenizer.json"), text_of(*folder_ / "c/tokenizer.json"));
}

TEST_F(TrainTokenizer, LearnsFromAllKindsOfTexts) {
  const fs::path lines = folder_->write("a.jsonl", R"({"text": "zebra zebra zebra"}
{"prompt": "quagga quagga quagga", "completion": "okapi okapi okapi"})");
  train_tokenizer({lines}, {.vocab_size = 292}, *folder_ / "lines");
  const Tokenizer tokenizer = load_tokenizer(*folder_ / "lines");
  for (const char* word : {"\u2581zebra", "\u2581quagga", "\u2581okapi"}) {
    EXPECT_TRUE(tokenizer.find(word).has_value()) << word;
  }
}

TEST_F(TrainTokenizer, SurvivesTextsThatAreNone) {
  std::string hostile = text_of(kProse);
  hostile +=
      std::string("\0 nul \0", 7) + "\xff\xfe\x80 broken \xe2\x82\n\t\ttabs\u2581\u2047\u2585\n";
  hostile += std::string(10000, 'x') + '\n';
  for (int i = 0; i < 5000; ++i) {
    hostile += "\u6f22";  // a line that has no space to be cut at
  }
  const fs::path source = folder_->write("hostile.txt", hostile);
  train_tokenizer({source}, {.vocab_size = 800}, *folder_ / "hostile");
  const Tokenizer tokenizer = load_tokenizer(*folder_ / "hostile");
  // SentencePiece has one character for spaces and U+2581.
  std::string expected = hostile;
  expected.replace(expected.find("\u2581"), 3, " ");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(hostile)), expected);
  EXPECT_TRUE(tokenizer.find("\u6f22\u6f22").has_value());
  EXPECT_FALSE(tokenizer.find("\ufffd").has_value());
}

TEST_F(TrainTokenizer, RefusesWhatCannotBe) {
  const fs::path out = *folder_ / "refused";
  const auto train = [&](const Sources& sources, std::size_t vocab_size) {
    train_tokenizer(sources, {.vocab_size = vocab_size}, out);
  };
  EXPECT_THROW(train({}, 1000), InvalidArgument);
  EXPECT_THROW(train({folder_->write("empty.txt", "\n\n")}, 1000), InvalidArgument);
  EXPECT_THROW(train({folder_->write("short.txt", "abc")}, 1000), InvalidArgument);
  EXPECT_THROW(train({kProse}, 0), InvalidArgument);
  EXPECT_THROW(train({kProse}, 100), InvalidArgument);
  EXPECT_THROW(train({kProse}, std::size_t{1} << 40), InvalidArgument);
  EXPECT_THROW(train({*folder_ / "none"}, 1000), IoError);
  EXPECT_THROW(train({write(counting_parts({2}), *folder_ / "t.safetensors")}, 1000),
               InvalidArgument);
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace bitnet::train::test
