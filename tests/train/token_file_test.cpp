// SPDX-License-Identifier: MIT
// Oracle: ids written down by hand, for a tokenizer of single bytes.
#include <bitnet/error.h>
#include <bitnet/train/token_file.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "train/small_corpus.h"

namespace bitnet::train::test {
namespace {

namespace fs = std::filesystem;

std::vector<TokenId> joined(const std::vector<std::string>& texts) {
  std::vector<TokenId> ids;
  for (const std::string& text : texts) {
    const std::vector<TokenId> document = document_ids(text);
    ids.insert(ids.end(), document.begin(), document.end());
  }
  return ids;
}

std::vector<std::uint64_t> starts_of(const TokenFile& file) {
  return {file.starts().begin(), file.starts().end()};
}

TokenFile tokenized(const TemporaryFolder& folder, const Sources& sources,
                    const Tokenizer& tokenizer = byte_tokenizer()) {
  write_token_file(folder / "out.safetensors", tokenizer, sources);
  return TokenFile(folder / "out.safetensors");
}

TEST(TokenFile, TextFileIsADocument) {
  const TemporaryFolder folder;
  const TokenFile file = tokenized(folder, {folder.write("a", "ab\n")});
  EXPECT_EQ(ids_of(file), (std::vector<TokenId>{kBos, 99, 100, 12, kEos}));
  EXPECT_EQ(starts_of(file), (std::vector<std::uint64_t>{0, 5}));
  EXPECT_EQ(file.vocab_size(), 258U);
  EXPECT_FALSE(file.has_prompts());
  EXPECT_TRUE(file.is_target(0));
}

TEST(TokenFile, WithoutSpecialTokensOnlyTheTextRemains) {
  const TemporaryFolder folder;
  const Sources sources = {folder.write("a", "b"),
                           folder.write("none.jsonl", R"({"prompt": "", "completion": ""})"),
                           folder.write("c", "d")};
  const TokenFile file = tokenized(folder, sources, Tokenizer(byte_tokenizer_data(true)));
  EXPECT_EQ(ids_of(file), (std::vector<TokenId>{100, 102}));
  EXPECT_EQ(starts_of(file), (std::vector<std::uint64_t>{0, 1, 2}));
}

// The ids are those that models/say-it/DATA.md states.
TEST(TokenFile, APromptIsEncodedAsWhenTheModelRuns) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = load_tokenizer(fs::path(BITNET_SOURCE_DIR) / "models/say-it");
  const TokenFile file = tokenized(
      folder, {folder.write("a.jsonl", R"({"prompt": "colonel", "completion": "K ER1 N AH0 L"})")},
      tokenizer);
  EXPECT_EQ(ids_of(file),
            (std::vector<TokenId>{7, 19, 16, 19, 18, 9, 16, 1, 72, 57, 75, 37, 73, 1}));
  EXPECT_FALSE(file.is_target(7));
  EXPECT_TRUE(file.is_target(8));
}

TEST(TokenFile, FolderIsItsTextFilesByPath) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "texts/inner");
  folder.write("texts/z.txt", "z");
  folder.write("texts/a.txt", "a");
  folder.write("texts/inner/b.txt", "b");
  folder.write("texts/readme.md", "no");
  EXPECT_EQ(ids_of(tokenized(folder, {folder / "texts"})), joined({"a", "b", "z"}));
}

TEST(TokenFile, EachLineOfJsonIsADocument) {
  const TemporaryFolder folder;
  const fs::path lines = folder.write(
      "a.jsonl", "{\"text\": \"x\\ny\", \"id\": 1}\r\n\n{\"text\": \"\"}\n{\"text\":\"z\"}");
  EXPECT_EQ(ids_of(tokenized(folder, {lines})), joined({"x\ny", "z"}));
}

TEST(TokenFile, OnlyCompletionsAreTargets) {
  const TemporaryFolder folder;
  const fs::path text = folder.write("t", "t");
  const fs::path lines = folder.write("a.jsonl", R"({"prompt": "pq", "completion": "c"}
{"prompt": "", "completion": ""})");
  const TokenFile file = tokenized(folder, {text, lines});
  EXPECT_EQ(ids_of(file), joined({"t", "pqc", ""}));
  ASSERT_TRUE(file.has_prompts());
  std::string targets;
  for (std::size_t i = 0; i < file.size(); ++i) {
    targets += file.is_target(i) ? '1' : '0';
  }
  EXPECT_EQ(targets,
            "111"
            "00011"
            "01");
}

TEST(TokenFile, SourceListedTwiceCountsTwice) {
  const TemporaryFolder folder;
  const fs::path a = folder.write("a", "a");
  const fs::path b = folder.write("b", "b");
  EXPECT_EQ(ids_of(tokenized(folder, {a, b, a})), joined({"a", "b", "a"}));
}

TEST(TokenFile, TokenFilesAreSourcesToo) {
  const TemporaryFolder folder;
  write_token_file(folder / "first.safetensors", byte_tokenizer(),
                   {folder.write("a.jsonl", R"({"prompt": "p", "completion": "c"})")});
  const TokenFile file = tokenized(
      folder, {folder.write("b", "b"), folder / "first.safetensors", folder.write("d", "d")});
  EXPECT_EQ(ids_of(file), joined({"b", "pc", "d"}));
  EXPECT_EQ(starts_of(file), (std::vector<std::uint64_t>{0, 3, 7, 10}));
  EXPECT_FALSE(file.is_target(4));
  EXPECT_TRUE(file.is_target(5));
}

TEST(TokenFile, LargeVocabularyTakesFourBytes) {
  TokenizerData data = byte_tokenizer_data();
  fill_vocabulary(data, 65537);
  data.tokens.back() = "\u00e9";  // the last id is beyond 16 bits
  data.types.back() = TokenType::normal;
  const TemporaryFolder folder;
  const TokenFile file = tokenized(folder, {folder.write("a", "\u00e9")}, Tokenizer(data));
  EXPECT_EQ(ids_of(file), (std::vector<TokenId>{kBos, 65536, kEos}));
  EXPECT_EQ(open_checkpoint(file.path()).find("tokens")->encoding, Encoding::u32);
}

TEST(TokenFile, ThreadsDoNotChangeIt) {
  const TemporaryFolder folder;
  std::string lines;
  std::vector<std::string> texts;
  for (int i = 1; i <= 1000; ++i) {
    texts.emplace_back(static_cast<std::size_t>(i % 37 + 1), static_cast<char>('a' + i % 26));
    lines += "{\"text\": \"" + texts.back() + "\"}\n";
  }
  const fs::path source = folder.write("a.jsonl", lines);
  write_token_file(folder / "out.safetensors", byte_tokenizer(), {source}, Runtime({.threads = 4}));
  EXPECT_EQ(ids_of(TokenFile(folder / "out.safetensors")), joined(texts));
}

TEST(TokenFileCache, IsMadeOnce) {
  const TemporaryFolder folder;
  const fs::path a = folder.write("a", "a");
  const fs::path cache = folder / "cache.safetensors";
  EXPECT_EQ(ids_of(token_file_for({a}, byte_tokenizer(), cache)), joined({"a"}));
  const fs::file_time_type long_ago(std::chrono::hours(1));
  fs::last_write_time(cache, long_ago);
  EXPECT_EQ(ids_of(token_file_for({a}, byte_tokenizer(), cache)), joined({"a"}));
  EXPECT_EQ(fs::last_write_time(cache), long_ago);
}

TEST(TokenFileCache, IsMadeAgainForOtherSources) {
  const TemporaryFolder folder;
  const fs::path a = folder.write("a", "a");
  const fs::path b = folder.write("b", "b");
  const fs::path cache = folder / "cache.safetensors";
  token_file_for({a}, byte_tokenizer(), cache);
  EXPECT_EQ(ids_of(token_file_for({a, b}, byte_tokenizer(), cache)), joined({"a", "b"}));
  EXPECT_EQ(ids_of(token_file_for({b, a}, byte_tokenizer(), cache)), joined({"b", "a"}));
  const fs::file_time_type time = fs::last_write_time(a);
  folder.write("a", "other");  // another size at the same time
  fs::last_write_time(a, time);
  EXPECT_EQ(ids_of(token_file_for({b, a}, byte_tokenizer(), cache)), joined({"b", "other"}));
  folder.write("a", "OTHER");  // the same size at another time
  fs::last_write_time(a, fs::file_time_type(std::chrono::hours(1)));
  EXPECT_EQ(ids_of(token_file_for({b, a}, byte_tokenizer(), cache)), joined({"b", "OTHER"}));
}

TEST(TokenFileCache, IsMadeAgainForAnotherTokenizer) {
  const TemporaryFolder folder;
  const fs::path ab = folder.write("ab", "ab");
  const fs::path cache = folder / "cache.safetensors";
  token_file_for({ab}, byte_tokenizer(), cache);
  TokenizerData merging = byte_tokenizer_data();
  for (const char* token : {"a", "b", "ab"}) {
    merging.tokens.emplace_back(token);
    merging.types.push_back(TokenType::normal);
    merging.scores.push_back(0);
  }
  EXPECT_EQ(ids_of(token_file_for({ab}, Tokenizer(merging), cache)),
            (std::vector<TokenId>{kBos, 260, kEos}));
  merging.add_bos = false;
  EXPECT_EQ(ids_of(token_file_for({ab}, Tokenizer(merging), cache)),
            (std::vector<TokenId>{260, kEos}));
  merging.eos = kBos;
  EXPECT_EQ(ids_of(token_file_for({ab}, Tokenizer(merging), cache)),
            (std::vector<TokenId>{260, kBos}));
  merging.eos = kEos;
  // The same tokens, never joined.
  merging.tokens.back() = "ba";
  EXPECT_EQ(ids_of(token_file_for({ab}, Tokenizer(merging), cache)),
            (std::vector<TokenId>{258, 259, kEos}));
}

TEST(TokenFileCache, ReadyTokenFileIsUsedAsItIs) {
  const TemporaryFolder folder;
  const fs::path ready = folder / "ready.safetensors";
  write_token_file(ready, byte_tokenizer(), {folder.write("a", "a")});
  const fs::path cache = folder / "cache.safetensors";
  EXPECT_EQ(token_file_for({ready}, byte_tokenizer(), cache).path(), ready);
  EXPECT_FALSE(fs::exists(cache));
}

}  // namespace
}  // namespace bitnet::train::test
