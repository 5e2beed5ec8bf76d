// SPDX-License-Identifier: MIT
// Oracle: each file here breaks one rule of docs/formats/tokenizers.md, and the error must name the
// file, the place and what was found.
#include <gtest/gtest.h>

#include "formats/hostile_bytes.h"
#include "tokenizer/small_tokenizers.h"

namespace bitnet {
namespace {

using test::expect_error;
using test::read_json;
using test::replaced;
using test::small_bpe_json;
using test::small_spm_json;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

void read_bytes(std::span<const std::byte> bytes) {
  read_json(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

TEST(HostileTokenizer, EveryTruncationIsAnErrorAndNoFlipCrashes) {
  for (const std::string& json : {small_bpe_json(), small_spm_json()}) {
    test::expect_error_at_every_length(bytes_of(json), read_bytes);
    EXPECT_GT(test::flip_every_bit(bytes_of(json), read_bytes), 4000U);
  }
}

struct Case {
  std::string from, to;
  std::vector<std::string> words;
};

void expect_refused(const std::string& json, const std::vector<Case>& cases) {
  for (const auto& [from, to, words] : cases) {
    SCOPED_TRACE(to);
    const std::string broken = replaced(json, from, to);
    expect_error<FormatError>([&] { read_json(broken, "", {.vocab_size = 20}); }, words);
  }
}

TEST(HostileTokenizer, WhatIsRefused) {
  const std::string vocab = R"("a":0,"b":1)";
  expect_refused(
      small_bpe_json(),
      {
          {vocab, R"("a":0,"b":0)", {"tokenizer.json", "model.vocab['b']", "'a'"}},
          {vocab, R"("a":0,"a":0)", {"tokenizer.json", "'a' appears twice"}},
          {vocab, R"("a":0,"b":20)", {"['b']", "below the vocabulary's size 20", "found 20"}},
          {vocab, R"("a":0,"b":-1)", {"['b']", "integer", "found -1"}},
          {vocab, R"("a":0,"b":1.0)", {"['b']", "integer", "found 1.0"}},
          {vocab, R"("a":0,"b":"1")", {"['b']", "integer", "\"1\""}},
          {vocab, R"("a":0,"b":4294967297)", {"['b']", "integer", "4294967297"}},
          {vocab, "\"a\":0,\"b\xff\":1", {"tokenizer.json", "UTF-8"}},
          {vocab, R"("a":0,"\ud800":1)", {"tokenizer.json", "UTF-8"}},
          {R"("a b",)", R"("a c",)", {"merge 0", "unknown token 'c'"}},
          {R"("a b",)", R"("b a",)", {"merge 0", "unknown token 'ba'"}},
          {R"("a b",)", R"("ab",)", {"merge 0", "two words"}},
          {R"("a b",)", R"("a  b",)", {"merge 0", "two words"}},
          {R"("a b",)", R"(["a"],)", {"model.merges[0]", "a pair", R"(["a"])"}},
          {R"("a b",)", R"(7,)", {"model.merges[0]", "a string", "7"}},
          {R"("id":6)", R"("id":5)", {"added_tokens[1].id", "<|begin_of_text|>"}},
          {R"("id":6,"content":"<|end)", R"("id":9,"content":"<|begin)", {"different tokens"}},
          {R"("special":true)", R"("special":1)", {"added_tokens[0].special", "true or false"}},
          {R"("merges":["a b",["Ġ","ab"]])", R"("x":1)", {"model", "'merges'"}},
          {R"("model":{)", R"("x":{)", {"tokenizer.json", "'model'"}},
          {R"("content":"<tool>")", R"("content":"")", {"token 8", "none"}},
      });
}

TEST(HostileTokenizer, OneIdMustNotAskForALargeVocabulary) {
  const auto with_id = [](const std::string& id) {
    return replaced(small_bpe_json(), R"("b":1)", R"("b":)" + id);
  };
  EXPECT_EQ(read_json(replaced(with_id("4000"), R"("a b",)", "")).tokens.size(), 4001U);
  expect_error<FormatError>([&] { read_json(with_id("1000000")); }, {"model.vocab", "4105 ids"});
  expect_error<FormatError>([&] { read_json(with_id("4000000000")); }, {"1048576"});
  expect_error<FormatError>([&] { read_json(small_bpe_json(), "", {.vocab_size = 1U << 30}); },
                            {"folder", "1048576"});
  expect_error<FormatError>([&] { read_json(small_bpe_json(), "", {.vocab_size = 8}); },
                            {"added_tokens[3].id"});
}

TEST(HostileTokenizer, DeepNestingIsRefused) {
  for (const std::size_t depth : {60U, 70U, 1000000U}) {
    const std::string nested = std::string(depth, '[') + std::string(depth, ']');
    const std::string json = replaced(small_bpe_json(), R"("version":"1.0")", R"("x":)" + nested);
    if (depth == 60) {
      EXPECT_NO_THROW(read_json(json));
    } else {
      expect_error<FormatError>([&] { read_json(json); }, {"64 levels"});
    }
  }
}

TEST(HostileTokenizer, WhatHasNoCounterpartIsNamed) {
  const auto expect_unsupported = [](const std::string& json, const std::string& word) {
    expect_error<UnsupportedError>([&] { read_json(json); }, {word});
  };
  expect_unsupported(replaced(small_bpe_json(), R"("type":"BPE")", R"("type":"Unigram")"),
                     "Unigram");
  expect_unsupported(
      replaced(small_bpe_json(), R"("normalizer":null)", R"("normalizer":{"type":"Lowercase"})"),
      "Lowercase");
  expect_unsupported(replaced(small_bpe_json(), "p{N}{1,3}", "p{N}{1,4}"), "p{N}{1,4}");
  expect_unsupported(replaced(small_bpe_json(), R"("Isolated")", R"("Removed")"), "Split");
  expect_unsupported(replaced(small_spm_json(), R"("Prepend")", R"("Lowercase")"), "Lowercase");
  EXPECT_NO_THROW(
      read_json(replaced(small_bpe_json(), "{1,3}", "{1,4}"), "", {.pre = "llama-bpe"}));
}

TEST(HostileTokenizer, ConfigsAreCheckedToo) {
  for (const auto& [config, word] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "an object"},
           {"{", "JSON"},
           {R"({"bos_token":5})", "bos_token"},
           {R"({"bos_token":{"text":"a"}})", "'content'"},
           {R"({"add_bos_token":"yes"})", "add_bos_token"},
           {R"({"chat_template":5})", "chat_template"},
           {R"({"chat_template":[{"name":"default"}]})", "'template'"},
           {R"({"added_tokens_decoder":{"x":{"content":"a"}}})", "an id as its key"},
           {R"({"added_tokens_decoder":{"99":{"content":"a"}}})", "the next id 9"},
           {R"({"added_tokens_decoder":{"0":{"content":"z"}}})", "token 0 to be 'a'"},
           {R"({"added_tokens_decoder":{"9":{"content":"a"}}})", "different tokens"}}) {
    SCOPED_TRACE(config);
    expect_error<FormatError>([&, &text = config] { read_json(small_bpe_json(), text); }, {word});
  }
}

}  // namespace
}  // namespace bitnet
