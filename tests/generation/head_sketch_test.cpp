// SPDX-License-Identifier: MIT
// What generation makes of a sketched head. Oracle: the same model, every token scored.
#include <bitnet/generation.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "reference/slow_build.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

const std::string kProse = BITNET_SOURCE_DIR "/models/prose-nano";

/// Fewer where a token costs a hundred times as much.
std::size_t tokens_to_compare() {
  const bool is_slow = reference::kIsSlowBuild || Runtime::serial().isa() == Isa::scalar;
  return is_slow ? 512 : 20'480;
}

std::unique_ptr<LanguageModel> load(bool head_sketch) {
  LoadOptions options;
  options.head_sketch = head_sketch;
  return load_model(open_checkpoint(kProse), Runtime::serial(), options);
}

std::vector<TokenId> real_text(std::size_t count) {
  std::ifstream file(kProse + "/dev.txt");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::vector<TokenId> tokens = load_tokenizer(open_checkpoint(kProse)).encode(text);
  EXPECT_GE(tokens.size(), count);
  tokens.resize(count);
  return tokens;
}

/// Behind every token of a real text, the largest logits are those of the whole head.
TEST(SketchedHead, LargestLogitsBehindRealTextAreThoseOfTheWholeHead) {
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  const auto model = load(true);
  ASSERT_GT(model->memory().head_sketch, 0U);
  constexpr std::size_t kTop = 40;
  constexpr std::size_t kWindow = 256;
  const std::size_t vocabulary = model->config().vocab_size;
  const std::vector<TokenId> tokens = real_text(tokens_to_compare());
  const auto cache = model->new_kv_cache(kWindow);
  std::vector<float> all(kWindow * vocabulary);
  std::vector<float> largest(all.size());
  std::vector<float> sorted(vocabulary);
  std::size_t scored = 0;
  for (std::size_t first = 0; first < tokens.size(); first += kWindow) {
    const auto window = std::span(tokens).subspan(first, kWindow);
    const auto forward = [&](std::size_t top, std::span<float> logits) {
      cache->truncate(0);
      const SequenceStep step{window, cache.get(), OutputRows::all, top};
      model->forward({&step, 1}, logits);
    };
    forward(0, all);
    forward(kTop, largest);
    for (std::size_t row = 0; row < all.size(); row += vocabulary) {
      std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(row), vocabulary, sorted.begin());
      std::ranges::nth_element(sorted, sorted.begin() + kTop - 1, std::greater<>{});
      const float last = sorted[kTop - 1];
      for (std::size_t i = row; i < row + vocabulary; ++i) {
        const bool is_left_out = largest[i] == -std::numeric_limits<float>::infinity();
        ASSERT_TRUE(largest[i] == all[i] || (is_left_out && all[i] < last))
            << "token " << first + row / vocabulary << " of the text, logit " << i - row;
        scored += is_left_out ? 0 : 1;
      }
    }
  }
  RecordProperty("scored_per_mille", static_cast<int>(scored * 1000 / tokens.size() / vocabulary));
  EXPECT_LT(scored, tokens.size() * vocabulary / 2);
}

TEST(SketchedHead, WritesTheSameText) {
  const auto sketched = load(true);
  const auto whole = load(false);
  ASSERT_EQ(whole->memory().head_sketch, 0U);
  const std::size_t length = std::min<std::size_t>(tokens_to_compare(), 2048);
  std::vector<GenerationConfig> configs(4);
  configs[1].temperature = 0.9F;
  configs[1].top_k = 40;
  configs[2] = configs[1];
  configs[2].repetition_penalty = 1.2F;
  configs[2].frequency_penalty = 0.1F;
  configs[2].logit_bias = {{200, -3.0F}, {17, -std::numeric_limits<float>::infinity()}};
  configs[3] = configs[1];
  configs[3].top_p = 0.9F;
  configs[3].typical_p = 0.95F;
  for (GenerationConfig& config : configs) {
    config.max_new_tokens = length;
    config.ignore_eos = true;
    config.seed = 11;
    EXPECT_NE(config.largest_logits(), 0U);
    const auto write = [&](LanguageModel& model) {
      Session session(model, nullptr, {.context_shift = true});
      return session.generate(std::vector<TokenId>{0, 300, 301}, config).tokens;
    };
    EXPECT_EQ(write(*sketched), write(*whole));
  }
}

TEST(SketchedHead, IsNotAskedWhereOtherLogitsCount) {
  const auto needs_all = [](const auto& change) {
    GenerationConfig config;
    config.temperature = 0.8F;
    config.top_k = 40;
    EXPECT_EQ(config.largest_logits(), 40U);
    change(config);
    return config.largest_logits() == 0;
  };
  EXPECT_TRUE(needs_all([](GenerationConfig& config) { config.top_k = 0; }));
  EXPECT_TRUE(needs_all([](GenerationConfig& config) { config.logprobs = true; }));
  EXPECT_TRUE(needs_all([](GenerationConfig& config) { config.top_logprobs = 3; }));
  EXPECT_TRUE(needs_all([](GenerationConfig& config) { config.repetition_penalty = 0.9F; }));
  EXPECT_TRUE(needs_all([](GenerationConfig& config) { config.presence_penalty = -0.1F; }));
  EXPECT_TRUE(needs_all([](GenerationConfig& config) { config.logit_bias[3] = 1; }));
  EXPECT_TRUE(needs_all([](GenerationConfig& config) { config.logit_filter = [](auto, auto) {}; }));
}

}  // namespace
}  // namespace bitnet
