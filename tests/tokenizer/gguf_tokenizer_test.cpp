// SPDX-License-Identifier: MIT
// Oracle: key-values written down by hand with the types that llama.cpp insists on, and files as
// the library's own GGUF reader, tested elsewhere, gives them back.
#include "tokenizer/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <limits>

#include "formats/hostile_bytes.h"
#include "formats/temporary_folder.h"
#include "tokenizer/chat_templates.h"
#include "tokenizer/small_tokenizers.h"

namespace bitnet {
namespace {

using test::expect_error;
using test::read_json;
using Metadata = std::map<std::string, MetadataValue>;
using Strings = std::vector<std::string>;

Metadata small_metadata() {
  return {{"tokenizer.ggml.model", "gpt2"},
          {"tokenizer.ggml.pre", "llama-bpe"},
          {"tokenizer.ggml.tokens", Strings{"a", "b", "ab", "<|begin_of_text|>", "<|eot_id|>"}},
          {"tokenizer.ggml.token_type", std::vector<std::int64_t>{1, 1, 1, 3, 3}},
          {"tokenizer.ggml.merges", Strings{"a b"}},
          {"tokenizer.ggml.bos_token_id", std::uint64_t{3}},
          {"tokenizer.ggml.eos_token_id", std::uint64_t{4}},
          {"tokenizer.ggml.eot_token_id", std::uint64_t{4}},
          {"tokenizer.ggml.add_bos_token", true},
          {"tokenizer.chat_template", "T"}};
}

Metadata small_spm_metadata() {
  return {{"tokenizer.ggml.model", "llama"},
          {"tokenizer.ggml.tokens", Strings{"<unk>", "<s>", "</s>", "<0x0A>", "ab", "a", "b"}},
          {"tokenizer.ggml.scores", std::vector<double>{0, 0, 0, 0, 0, -1, -2}},
          {"tokenizer.ggml.token_type", std::vector<std::int64_t>{2, 3, 3, 6, 1, 1, 1}},
          {"tokenizer.ggml.bos_token_id", std::uint64_t{1}},
          {"tokenizer.ggml.eos_token_id", std::uint64_t{2}},
          {"tokenizer.ggml.unknown_token_id", std::uint64_t{0}}};
}

TokenizerData read(const Metadata& metadata) { return read_gguf_tokenizer(metadata).value(); }

/// Through a file, so that the types are those that a reader sees.
Metadata stored(const std::vector<GgufKeyValue>& key_values) {
  const test::TemporaryFolder folder;
  const auto path = folder / "vocabulary.gguf";
  std::vector<GgufKeyValue> all = {{"general.architecture", std::string("llama")}};
  all.insert(all.end(), key_values.begin(), key_values.end());
  GgufWriter(path, all, {}).commit();
  Metadata metadata = open_checkpoint(path).metadata();
  metadata.erase("general.architecture");
  return metadata;
}

Strings keys_of(const std::vector<GgufKeyValue>& key_values) {
  Strings keys;
  for (const GgufKeyValue& entry : key_values) keys.push_back(entry.key);
  return keys;
}

template <class T>
const T& value_of(const std::vector<GgufKeyValue>& key_values, const std::string& key) {
  for (const GgufKeyValue& entry : key_values) {
    if (entry.key == "tokenizer." + key) return std::get<T>(entry.value);
  }
  throw std::runtime_error("no key " + key);
}

TEST(GgufTokenizer, ReadsByteLevelBpe) {
  const TokenizerData data = read(small_metadata());
  EXPECT_EQ(data.model, TokenizerModel::byte_level_bpe);
  EXPECT_EQ(data.tokens.size(), 5U);
  EXPECT_EQ(data.merges, Strings{"a b"});
  EXPECT_EQ(data.pre, "llama-bpe");
  EXPECT_TRUE(data.ignore_merges);
  EXPECT_EQ(data.bos, 3U);
  EXPECT_EQ(data.eos, 4U);
  EXPECT_EQ(data.add_bos, true);
  EXPECT_EQ(data.add_eos, std::nullopt);
  EXPECT_EQ(data.chat_template, "T");
  EXPECT_EQ(data.added,
            (std::vector<AddedToken>{{.id = 3, .special = true}, {.id = 4, .special = true}}));
  EXPECT_TRUE(data.repairs.empty());
}

TEST(GgufTokenizer, ReadsSentencePiece) {
  const TokenizerData data = read(small_spm_metadata());
  EXPECT_EQ(data.model, TokenizerModel::sentencepiece_bpe);
  EXPECT_EQ(data.scores, (std::vector<float>{0, 0, 0, 0, 0, -1, -2}));
  EXPECT_EQ(data.types[3], TokenType::byte);
  EXPECT_EQ(data.unknown, 0U);
  EXPECT_EQ(data.pre, "default");
}

// Oracle: JSON, in which the template goes on, holds nothing but UTF-8.
TEST(GgufTokenizer, ChatTemplateMustBeText) {
  auto metadata = small_metadata();
  metadata["tokenizer.chat_template"] = std::string("T\xff");
  expect_error<FormatError>([&] { read(metadata); }, {"chat template", "UTF-8"});
}

TEST(GgufTokenizer, NoVocabulary) {
  EXPECT_EQ(read_gguf_tokenizer({}), std::nullopt);
  EXPECT_EQ(read_gguf_tokenizer(stored(gguf_without_tokenizer())), std::nullopt);
  EXPECT_EQ(value_of<std::string>(gguf_without_tokenizer(), "ggml.model"), "no_vocab");
  expect_error<UnsupportedError>(
      [] {
        read_gguf_tokenizer({{"tokenizer.ggml.model", "bert"}});
      },
      {"tokenizer.ggml.model", "bert"});
}

TEST(GgufTokenizer, WrongTypesAndSizesNameTheKey) {
  const Metadata good = small_metadata();
  for (const auto& [key, value] : good) {
    Metadata broken = good;
    broken[key] = 0.5;
    expect_error<FormatError>([&] { read(broken); }, {key, "another type"});
  }
  const auto refuse = [&](Metadata metadata, const std::string& key, const MetadataValue& value,
                          const std::string& word) {
    metadata["tokenizer." + key] = value;
    expect_error<FormatError>([&] { read(metadata); }, {word});
  };
  refuse(good, "ggml.token_type", std::vector<std::int64_t>{1, 1}, "5 token types");
  refuse(good, "ggml.token_type", std::vector<std::int64_t>{1, 1, 1, 3, 7}, "7 for token 4");
  refuse(good, "ggml.token_type", std::vector<std::int64_t>{1, 1, 1, 3, -1}, "-1 for token 4");
  refuse(good, "ggml.tokens", Strings{"a", "b", "ab", "a", "x"}, "'a' with the ids 0 and 3");
  refuse(good, "ggml.tokens", Strings{"a", "b", "ab", "\xff", "x"}, "token 3");
  refuse(good, "ggml.merges", Strings{"a b", "a c"}, "merge 1");
  refuse(small_spm_metadata(), "ggml.scores", std::vector<double>{1}, "7 scores");
  refuse(small_spm_metadata(), "ggml.scores",
         std::vector<double>(7, std::numeric_limits<double>::quiet_NaN()), "finite");
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    Metadata broken = good;
    broken.erase(key);
    expect_error<FormatError>([&] { read(broken); }, {key, "no such key"});
  }
}

/// 128256 tokens as Llama 3 has them, without its vocabulary.
Metadata llama3_sized_metadata() {
  Strings tokens;
  for (std::size_t id = 0; id < 128256; ++id) tokens.push_back(std::to_string(id) + "t");
  std::vector<std::int64_t> types(128000, 1);
  types.resize(128256, 3);
  tokens[128000] = "<|begin_of_text|>";
  tokens[128009] = "<|eot_id|>";
  return {{"tokenizer.ggml.model", "gpt2"},
          {"tokenizer.ggml.tokens", tokens},
          {"tokenizer.ggml.token_type", types},
          {"tokenizer.ggml.merges", Strings{}},
          {"tokenizer.ggml.bos_token_id", std::uint64_t{128000}},
          {"tokenizer.ggml.eos_token_id", std::uint64_t{128001}},
          {"tokenizer.chat_template", "Human: BITNETAssistant: "}};
}

TEST(GgufTokenizer, RepairsTheOfficialFile) {
  Metadata metadata = llama3_sized_metadata();
  const TokenizerData data = read(metadata);
  EXPECT_EQ(data.pre, "llama-bpe");
  EXPECT_TRUE(data.ignore_merges);
  EXPECT_EQ(data.eot, 128009U);
  EXPECT_EQ(data.chat_template, bitnet_chat_template());
  EXPECT_EQ(data.repairs.size(), 3U);
  std::get<Strings>(metadata["tokenizer.ggml.tokens"])[128000] = "<s>";
  EXPECT_EQ(read(metadata).pre, "default") << "another vocabulary of the same size";
}

TEST(GgufTokenizer, OtherRepairs) {
  Metadata metadata = small_metadata();
  metadata["tokenizer.ggml.pre"] = "falcon_e";
  metadata["tokenizer.ggml.padding_token_id"] = std::uint64_t{0xffffffff};
  const TokenizerData data = read(metadata);
  EXPECT_EQ(data.pre, "falcon-h1");
  EXPECT_EQ(data.padding, std::nullopt);
  EXPECT_EQ(data.repairs.size(), 2U);
}

TEST(GgufTokenizer, WritesTheOrderAndTypesOfTheOfficialFile) {
  TokenizerData data = read(small_metadata());
  data.padding = 3;
  const auto written = write_gguf_tokenizer(data);
  EXPECT_EQ(keys_of(written),
            (Strings{"tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens",
                     "tokenizer.ggml.token_type", "tokenizer.ggml.merges",
                     "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                     "tokenizer.ggml.eot_token_id", "tokenizer.ggml.padding_token_id",
                     "tokenizer.ggml.add_bos_token", "tokenizer.chat_template"}));
  EXPECT_EQ(value_of<std::uint32_t>(written, "ggml.bos_token_id"), 3U);
  EXPECT_EQ(value_of<std::vector<std::int32_t>>(written, "ggml.token_type"),
            (std::vector<std::int32_t>{1, 1, 1, 3, 3}));
  EXPECT_TRUE(value_of<bool>(written, "ggml.add_bos_token"));
  const auto spm = write_gguf_tokenizer(read(small_spm_metadata()));
  EXPECT_EQ(
      keys_of(spm),
      (Strings{"tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens",
               "tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.bos_token_id",
               "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id",
               "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_space_prefix"}));
  EXPECT_EQ(value_of<std::vector<float>>(spm, "ggml.scores").size(), 7U);
}

TEST(GgufTokenizer, AddBosIsSaidAsTheFamiliesMeanIt) {
  const auto written = [](const std::string& pre, bool has_bos) {
    TokenizerData data = read(small_metadata());
    data.pre = pre;
    data.add_bos = std::nullopt;
    if (!has_bos) data.bos = std::nullopt;
    return value_of<bool>(write_gguf_tokenizer(data), "ggml.add_bos_token");
  };
  EXPECT_TRUE(written("llama-bpe", true));
  EXPECT_FALSE(written("llama-bpe", false));
  EXPECT_FALSE(written("falcon3", true));
  EXPECT_FALSE(written("gpt-2", true));
}

TEST(GgufTokenizer, ToHuggingFaceAndBackGivesTheSameKeys) {
  for (const Metadata& metadata : {small_metadata(), small_spm_metadata()}) {
    const auto first = write_gguf_tokenizer(read(metadata));
    const TokenizerData data = read(stored(first));
    const TokenizerData back = read_hugging_face(write_hugging_face(data), "folder", {});
    EXPECT_EQ(stored(write_gguf_tokenizer(back)), stored(first));
    EXPECT_EQ(keys_of(write_gguf_tokenizer(back)), keys_of(first));
  }
}

TEST(GgufTokenizer, FromHuggingFaceAndBackGivesTheSameTokenizer) {
  // GGUF has no place for the flags of <tool>, so it is left out here.
  const std::string bpe = test::replaced(test::small_bpe_json(),
                                         R"(,
{"id":8,"content":"<tool>","special":false,"lstrip":true,"rstrip":true,"single_word":true,
 "normalized":true})",
                                         "");
  const std::string other_merges = test::replaced(test::small_spm_json(), R"(,"▁ ab"])", "]");
  for (const std::string& json : {bpe, test::small_spm_json(), other_merges}) {
    const TokenizerData data = read_json(json);
    const TokenizerData stored_data = read(stored(write_gguf_tokenizer(data)));
    const TokenizerData back = read_hugging_face(write_hugging_face(stored_data), "folder", {});
    EXPECT_EQ(back.tokens, data.tokens);
    EXPECT_EQ(back.types, data.types);
    EXPECT_EQ(back.scores, data.scores);
    EXPECT_EQ(back.merges, data.merges);
    EXPECT_EQ(back.added, data.added);
    EXPECT_EQ(back.pre, data.pre);
    EXPECT_EQ(back.ignore_merges, data.ignore_merges);
    EXPECT_EQ(back.add_bos, data.add_bos);
    EXPECT_EQ(back.add_space_prefix, data.add_space_prefix);
    EXPECT_EQ(back.bos, data.bos);
    EXPECT_EQ(back.eot, data.eot);
    EXPECT_EQ(write_hugging_face(back).tokenizer_json, write_hugging_face(data).tokenizer_json);
  }
}

}  // namespace
}  // namespace bitnet
