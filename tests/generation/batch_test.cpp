// SPDX-License-Identifier: MIT
// Oracle: a new Session for each prompt.
#include <bitnet/error.h>
#include <bitnet/generation.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <string>
#include <vector>

#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

using Prompts = std::vector<std::vector<TokenId>>;

std::unique_ptr<LanguageModel> load(const std::string& path, const Runtime& runtime) {
  return load_model(open_checkpoint(BITNET_SOURCE_DIR "/" + path), runtime);
}

/// Of 1 to 40 tokens, long ones among short ones.
Prompts varied_prompts(std::size_t count) {
  Prompts prompts(count);
  for (std::size_t i = 0; i < count; ++i) {
    prompts[i].resize(i % 5 == 0 ? 40 - i : 1 + i % 4);
    std::iota(prompts[i].begin(), prompts[i].end(), static_cast<TokenId>(3 * i));
  }
  return prompts;
}

void expect_as_alone(LanguageModel& model, const Tokenizer* tokenizer, const Prompts& prompts,
                     const GenerationConfig& config, const SessionOptions& session,
                     std::size_t parallel) {
  const std::vector<GenerationResult> results =
      generate_batch(model, tokenizer, prompts, config, {.parallel = parallel, .session = session});
  ASSERT_EQ(results.size(), prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const GenerationResult alone = Session(model, tokenizer, session).generate(prompts[i], config);
    EXPECT_EQ(results[i].tokens, alone.tokens) << i;
    EXPECT_EQ(results[i].text, alone.text) << i;
    EXPECT_EQ(results[i].logprobs, alone.logprobs) << i;
    EXPECT_EQ(results[i].finish, alone.finish) << i;
    EXPECT_EQ(results[i].prompt_tokens, prompts[i].size()) << i;
  }
}

TEST(Batch, EachPromptIsContinuedAsAlone) {
  const Runtime runtime(RuntimeOptions{.threads = 3});
  const auto model = load("tests/golden/models/bitnet-odd/packed", runtime);
  GenerationConfig config;
  config.max_new_tokens = 12;
  for (const std::size_t parallel : {1, 4, 64}) {
    expect_as_alone(*model, nullptr, varied_prompts(23), config, {}, parallel);
  }
  config.temperature = 1;
  config.seed = 5;
  config.repetition_penalty = 1.2F;
  config.logprobs = true;
  expect_as_alone(*model, nullptr, varied_prompts(23), config, {}, 5);
}

TEST(Batch, TextsEndAtDifferentTimes) {
  const auto model = load("tests/golden/models/bitnet-odd/packed", Runtime::serial());
  const Prompts prompts = varied_prompts(23);
  GenerationConfig config;
  config.max_new_tokens = 16;
  config.temperature = 1;
  const auto whole = generate_batch(*model, nullptr, prompts, config);
  for (const std::size_t i : {2, 7, 11, 14}) config.stop_tokens.push_back(whole[i].tokens[i]);
  const auto results = generate_batch(*model, nullptr, prompts, config);
  EXPECT_LE(results[2].tokens.size(), 3U);
  EXPECT_EQ(results[14].finish, FinishReason::end_token);
  const auto is_whole = [](const GenerationResult& result) { return result.tokens.size() == 16; };
  EXPECT_TRUE(std::ranges::any_of(results, is_whole));
  expect_as_alone(*model, nullptr, prompts, config, {}, 4);
  expect_as_alone(*model, nullptr, prompts, config, {.cache_type = CacheType::q8_0}, 4);
}

TEST(Batch, AFullContextEndsATextOrForgetsItsOlderHalf) {
  const auto model = load("tests/golden/models/bitnet-odd/packed", Runtime::serial());
  GenerationConfig config;
  config.max_new_tokens = 30;
  config.ignore_eos = true;
  const Prompts prompts = varied_prompts(11);
  const auto results =
      generate_batch(*model, nullptr, prompts, config, {.session = {.context = 40}});
  EXPECT_EQ(results[0].finish, FinishReason::context_full);  // a prompt of 40 tokens
  EXPECT_EQ(results[0].tokens.size(), 1U);
  EXPECT_EQ(results[1].finish, FinishReason::length);
  expect_as_alone(*model, nullptr, prompts, config, {.context = 40}, 4);
  expect_as_alone(*model, nullptr, prompts, config,
                  {.context = 40, .context_shift = true, .keep = 2}, 4);
}

TEST(Batch, PromptsOfSeveralPartsBesideShortOnes) {
  const auto model = load("tests/golden/models/bitnet-2b4t/packed", Runtime::serial());
  if (model->max_positions() < 600) GTEST_SKIP() << "this model reads no such prompt";
  Prompts prompts = varied_prompts(4);
  prompts[1].assign(590, 7);  // a part of 512 gives no logits
  GenerationConfig config;
  config.max_new_tokens = 6;
  expect_as_alone(*model, nullptr, prompts, config, {}, 4);
}

TEST(Batch, TextsAndStopStrings) {
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  const Checkpoint checkpoint = open_checkpoint(BITNET_SOURCE_DIR "/models/prose-nano");
  const auto model = load_model(checkpoint, Runtime::serial());
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  Prompts prompts;
  for (const char* text : {"It was", "The sea", "A", "Once upon a time there was a man who"}) {
    prompts.push_back(tokenizer.encode(text));
  }
  GenerationConfig config;
  config.max_new_tokens = 20;
  config.temperature = 0.8F;
  config.stop = {" the", ","};
  expect_as_alone(*model, &tokenizer, prompts, config, {}, 3);
}

TEST(Batch, ResultsAreReportedInOrder) {
  const auto model = load("tests/golden/models/bitnet-odd/packed", Runtime::serial());
  GenerationConfig config;
  config.max_new_tokens = 5;
  std::size_t next = 0;
  const Prompts prompts = varied_prompts(9);
  const auto results = generate_batch(*model, nullptr, prompts, config, {.parallel = 4},
                                      [&](std::size_t index, const GenerationResult& result) {
                                        EXPECT_EQ(index, next++);
                                        EXPECT_EQ(result.tokens.size(), 5U);
                                        return true;
                                      });
  EXPECT_EQ(next, 9U);
  EXPECT_EQ(results.size(), 9U);
}

TEST(Batch, CallbackAndFlagEndTheWork) {
  const auto model = load("tests/golden/models/bitnet-odd/packed", Runtime::serial());
  GenerationConfig config;
  config.max_new_tokens = 5;
  std::atomic<bool> cancel{false};
  config.cancel = &cancel;
  for (const bool by_flag : {false, true}) {
    std::size_t reported = 0;
    const auto results = generate_batch(*model, nullptr, varied_prompts(9), config, {.parallel = 2},
                                        [&](std::size_t, const GenerationResult&) {
                                          cancel = by_flag && ++reported == 3;
                                          return by_flag || ++reported < 3;
                                        });
    EXPECT_EQ(reported, 3U);
    ASSERT_EQ(results.size(), 9U);
    EXPECT_EQ(results[2].finish, FinishReason::length);
    EXPECT_EQ(results[8].finish, FinishReason::cancelled);
    EXPECT_TRUE(results[8].tokens.empty());
  }
}

TEST(Batch, NothingToDo) {
  const auto model = load("tests/golden/models/bitnet-odd/packed", Runtime::serial());
  EXPECT_TRUE(generate_batch(*model, nullptr, Prompts{}, {}).empty());
  const auto results = generate_batch(*model, nullptr, Prompts{{1}, {2, 3}}, {.max_new_tokens = 0});
  EXPECT_EQ(results[1].finish, FinishReason::length);
  EXPECT_TRUE(results[1].tokens.empty());
}

TEST(Batch, ErrorsSayWhichPrompt) {
  const auto model = load("tests/golden/models/bitnet-odd/packed", Runtime::serial());
  const auto expect_error = [&](const Prompts& prompts, const BatchOptions& options,
                                const std::string& expected) {
    try {
      generate_batch(*model, nullptr, prompts, {}, options, [](std::size_t, const auto&) {
        ADD_FAILURE() << "something was computed";
        return true;
      });
      ADD_FAILURE() << expected;
    } catch (const InvalidArgument& error) {
      EXPECT_STREQ(error.what(), expected.c_str());
    }
  };
  expect_error({{1}, {}}, {}, "prompt 2 of 2: expected at least one token, found none");
  expect_error({{1}, {1, 2, 3}}, {.session = {.context = 2}},
               "prompt 2 of 2: expected at most 2 tokens (the context), found 3");
  expect_error({{1}, {1}, {1000000}}, {},
               "prompt 3 of 3: expected token ids below " +
                   std::to_string(model->config().vocab_size) + ", found 1000000");
  expect_error({{1}}, {.parallel = 0}, "parallel: expected at least 1, found 0");
}

}  // namespace
}  // namespace bitnet
