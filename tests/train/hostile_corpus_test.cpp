// SPDX-License-Identifier: MIT
// Oracle: each input is broken in one way, which the message must name.
#include <bitnet/error.h>
#include <bitnet/train/token_file.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "formats/hostile_bytes.h"
#include "train/small_corpus.h"

namespace bitnet::train::test {
namespace {

namespace fs = std::filesystem;

/// What an operation says when it throws an E; other errors fail.
template <class E, class Operation>
std::string message_of(const Operation& operation) {
  try {
    operation();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' in '" << text << "'";
}

TEST(HostileJsonLines, MessageNamesFileAndLine) {
  struct Case {
    const char* line;
    const char* part;
  };
  const std::vector<Case> cases = {
      {R"({"text": "a)", "JSON"},
      {R"({"text": "a"} x)", "JSON"},
      {R"(["text"])", "expected an object, found "},
      {R"({"texts": "a"})", "expected either \"text\" or"},
      {R"({"text": 5})", "expected a string \"text\", found 5"},
      {R"({"prompt": "a"})", "expected a string \"completion\", found none"},
      {R"({"completion": "a"})", "expected a string \"prompt\", found none"},
      {R"({"prompt": null, "completion": "a"})", "expected a string \"prompt\", found null"},
      {R"({"prompt": "a", "completion": "b", "text": "c"})", "expected either \"text\" or"},
      {"{\"text\": \"\xff\"}", "JSON in UTF-8"},
      {R"({"text": "a", "text": "b"})", "appears twice"},
  };
  for (const Case& hostile : cases) {
    const TemporaryFolder folder;
    const fs::path source = folder.write("bad.jsonl", std::string("{\"text\": \"good\"}\n\n") +
                                                          hostile.line + "\n{\"text\": \"b\"}");
    const fs::path out = folder / "out.safetensors";
    const std::string error =
        message_of<FormatError>([&] { write_token_file(out, byte_tokenizer(), {source}); });
    expect_part(error, "bad.jsonl: line 3: ");
    expect_part(error, hostile.part);
    EXPECT_FALSE(fs::exists(out));
  }
}

TEST(HostileJsonLines, NestingIsBounded) {
  const TemporaryFolder folder;
  const fs::path source =
      folder.write("a.jsonl", "{\"text\": \"a\", \"b\": " + std::string(100000, '[') + "}");
  EXPECT_THROW(write_token_file(folder / "out", byte_tokenizer(), {source}), FormatError);
}

TEST(HostileSources, NothingToLearnFromIsRefused) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "folder");
  const std::vector<Sources> cases = {{},
                                      {folder / "folder"},
                                      {folder.write("empty.txt", "")},
                                      {folder.write("empty.jsonl", " \n\n")},
                                      {folder.write("texts.jsonl", R"({"text": ""})")}};
  for (const Sources& sources : cases) {
    expect_part(message_of<InvalidArgument>([&] {
                  write_token_file(folder / "out.safetensors", byte_tokenizer(), sources);
                }),
                "expected at least one document");
  }
  EXPECT_THROW(write_token_file(folder / "out", byte_tokenizer(), {folder / "none"}), IoError);
}

TEST(HostileSources, TextThatCannotBeEncodedIsAnError) {
  TokenizerData data = byte_tokenizer_data();
  data.tokens[2 + 'a'] = "elsewhere";
  data.types[2 + 'a'] = TokenType::normal;
  const TemporaryFolder folder;
  const Sources sources = {folder.write("good", "b"), folder.write("bad", "ba")};
  expect_part(message_of<InvalidArgument>([&] {
                write_token_file(folder / "out", Tokenizer(data), sources, Runtime({.threads = 2}));
              }),
              "expected characters that the vocabulary has tokens for, found 'a'");
}

TEST(HostileSources, TokensOfAnotherTokenizerAreRefused) {
  const TemporaryFolder folder;
  const fs::path ready = folder / "ready.safetensors";
  write_token_file(ready, byte_tokenizer(), {folder.write("a", "a")});
  const Tokenizer other(byte_tokenizer_data(true));
  for (const Sources& sources : {Sources{ready}, Sources{ready, ready}}) {
    expect_part(message_of<InvalidArgument>(
                    [&] { token_file_for(sources, other, folder / "cache.safetensors"); }),
                "expected tokens of the tokenizer");
  }
}

TEST(HostileCache, WhatIsNoTokenFileStays) {
  const TemporaryFolder folder;
  const fs::path a = folder.write("a", "a");
  const fs::path precious = folder.write("model.safetensors", "precious");
  EXPECT_THROW(token_file_for({a}, byte_tokenizer(), precious), FormatError);
  const fs::path ready = folder / "ready.safetensors";
  write_token_file(ready, byte_tokenizer(), {a});
  const auto before = bitnet::test::read_file(ready);
  expect_part(message_of<InvalidArgument>([&] {
                token_file_for({a, ready}, byte_tokenizer(), ready);
              }),
              "none of its own sources");
  EXPECT_EQ(bitnet::test::read_file(ready), before);
  EXPECT_EQ(fs::file_size(precious), 8U);
}

class HostileTokenFile : public ::testing::Test {
 protected:
  std::string error_of(const Parts& parts) const {
    const fs::path path = write(parts, folder_ / "a.safetensors");
    return message_of<FormatError>([&] { TokenFile{path}; });
  }
  TemporaryFolder folder_;
  Parts parts_ = counting_parts({2, 3});
};

TEST_F(HostileTokenFile, UnchangedIsRead) {
  parts_.is_target = {{0, 1, 0, 1, 1}};
  EXPECT_EQ(TokenFile(write(parts_, folder_ / "a.safetensors")).documents(), 2U);
}

TEST_F(HostileTokenFile, TokenBeyondTheVocabulary) {
  parts_.metadata["vocab_size"] = "4";
  expect_part(error_of(parts_), "tensor 'tokens' [4]: expected less than 4, found 4");
}

TEST_F(HostileTokenFile, VocabularyThatIsNoNumber) {
  for (const char* text : {"", "-1", "5x", "2147483648", "99999999999999999999"}) {
    parts_.metadata["vocab_size"] = text;
    expect_part(error_of(parts_), "'vocab_size': expected a number");
  }
  parts_.metadata.clear();
  expect_part(error_of(parts_), "'vocab_size': expected a number");
}

TEST_F(HostileTokenFile, StartsThatAreNone) {
  const std::vector<std::vector<std::uint64_t>> cases = {
      {}, {0}, {0, 4}, {0, 6}, {1, 5}, {0, 2, 2, 5}, {0, 3, 2, 5}, {0, ~std::uint64_t{0}, 5}};
  for (const auto& starts : cases) {
    parts_.starts = starts;
    expect_part(error_of(parts_), "tensor 'starts'");
  }
}

TEST_F(HostileTokenFile, TargetsThatAreNone) {
  parts_.is_target = {{0, 1, 0, 1}};
  expect_part(error_of(parts_), "tensor 'is_target': expected 5 numbers, found 4");
  parts_.is_target = {{0, 1, 2, 1, 1}};
  expect_part(error_of(parts_), "tensor 'is_target' [2]: expected less than 2, found 2");
}

TEST_F(HostileTokenFile, TensorsOfOtherKinds) {
  struct Case {
    std::vector<TensorDeclaration> tensors;
    const char* part;
  };
  const std::vector<Case> cases = {
      {{{"starts", Encoding::u64, {2}}}, "the tensor 'tokens', found none"},
      {{{"tokens", Encoding::u16, {4}}}, "the tensor 'starts', found none"},
      {{{"starts", Encoding::u64, {2}}, {"tokens", Encoding::f16, {4}}}, "tensor 'tokens'"},
      {{{"starts", Encoding::u64, {2}}, {"tokens", Encoding::i32, {4}}}, "tensor 'tokens'"},
      {{{"starts", Encoding::u64, {2}}, {"tokens", Encoding::u16, {2, 2}}}, "tensor 'tokens'"},
      {{{"starts", Encoding::u32, {2}}, {"tokens", Encoding::u16, {4}}}, "tensor 'starts'"},
      {{{"is_target", Encoding::u8, {1}},
        {"starts", Encoding::u64, {2}},
        {"tokens", Encoding::u16, {4}}},
       "aligned"},
  };
  for (const Case& hostile : cases) {
    const fs::path path = folder_ / "a.safetensors";
    SafetensorsWriter writer(path, hostile.tensors, {{"vocab_size", "5"}});
    for (const TensorDeclaration& tensor : hostile.tensors) {
      writer.append(std::vector<std::byte>(declared_size(tensor)));
    }
    writer.commit();
    expect_part(message_of<FormatError>([&] { TokenFile{path}; }), hostile.part);
  }
}

}  // namespace
}  // namespace bitnet::train::test
