// SPDX-License-Identifier: MIT
// Oracle: tests/golden/models (both methods, computed in float64) and, for strides, a sum over
// logits that the test takes itself.
#include <bitnet/error.h>
#include <bitnet/perplexity.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "reference/golden_file.h"
#include "reference/slow_build.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

std::unique_ptr<LanguageModel> load(const std::string& folder) {
  return load_model(open_checkpoint(std::filesystem::path(BITNET_GOLDEN_DIR) / "models" / folder),
                    Runtime::serial());
}

class GoldenPerplexity : public testing::TestWithParam<const char*> {};

TEST_P(GoldenPerplexity, AgreesForEveryMethodAndContext) {
  const std::string folder = GetParam();
  const auto model = load(folder);
  const nlohmann::json expected = reference::read_golden_json(
      "models/" + folder.substr(0, folder.find('/')) + "/expected.json");
  const double bar = expected["tolerance"]["perplexity_relative"];
  const auto tokens = expected["perplexity"]["tokens"].get<std::vector<TokenId>>();
  for (const nlohmann::json& row : expected["perplexity"]["results"]) {
    PerplexityOptions options;
    options.context = row["n_ctx"];
    if (row["method"] == "second_half") {
      options.method = PerplexityMethod::second_half;
      if (!row["first_token_replaced_by"].is_null()) {
        options.first_token = row["first_token_replaced_by"].get<TokenId>();
      }
    }
    if (options.context > model->max_positions() ||
        (reference::kIsSlowBuild && options.context > 128)) {
      continue;
    }
    const PerplexityResult result = evaluate_perplexity(*model, tokens, nullptr, options);
    EXPECT_EQ(result.scored_tokens, row["scored_tokens"].get<std::size_t>()) << row;
    EXPECT_NEAR(result.perplexity() / row["perplexity"].get<double>(), 1, bar) << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenPerplexity,
                         testing::Values("bitnet-2b4t/packed", "bitnet-odd/packed",
                                         "llama-ternary/packed", "onebitllm/latent"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

/// models/prose-nano/expected.json: the same text through an independent PyTorch implementation.
TEST(Perplexity, OfARealModelIsThatOfPyTorch) {
  if (reference::kIsSlowBuild)
    GTEST_SKIP() << "54,000 tokens are too many for a sanitizer or an emulator";
  if (std::getenv("BITNET_ISA") != nullptr) GTEST_SKIP() << "the best kernels are enough";
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  const std::string folder = BITNET_SOURCE_DIR "/models/prose-nano";
  std::ifstream file(folder + "/dev.txt");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::ifstream json(folder + "/expected.json");
  const nlohmann::json expected = nlohmann::json::parse(json);
  const Checkpoint checkpoint = open_checkpoint(folder);
  const Runtime runtime;
  const auto model = load_model(checkpoint, runtime);
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  const std::vector<TokenId> tokens = tokenizer.encode(text, {.add_special = false});
  EXPECT_EQ(tokens.size(), expected["tokens"].get<std::size_t>());
  PerplexityOptions options;
  options.context = 256;
  const PerplexityResult result = evaluate_perplexity(*model, tokens, &tokenizer, options);
  EXPECT_EQ(result.scored_tokens, expected["float32"]["scored"].get<std::size_t>());
  EXPECT_NEAR(result.nll, expected["float64"]["nll"].get<double>(), 1e-4);  // its README's bar
}

TEST(Perplexity, StridesCountEachTokenOnce) {
  const auto model = load("bitnet-odd/packed");
  const nlohmann::json expected = reference::read_golden_json("models/bitnet-odd/expected.json");
  auto tokens = expected["perplexity"]["tokens"].get<std::vector<TokenId>>();
  tokens.resize(40);
  const std::size_t vocabulary = model->config().vocab_size;
  // Windows of 16 every 6 tokens: 0..15, 6..21, 12..27, 18..33, 24..39.
  double sum = 0;
  std::size_t count = 0;
  std::size_t counted = 0;
  for (std::size_t begin = 0; begin + 16 <= tokens.size(); begin += 6) {
    const auto cache = model->new_kv_cache(16);
    std::vector<float> logits(16 * vocabulary);
    const SequenceStep step{std::span(tokens).subspan(begin, 16), cache.get(), OutputRows::all};
    model->forward({&step, 1}, logits);
    for (std::size_t t = std::max(begin + 1, counted); t < begin + 16; ++t) {
      const float* const row = logits.data() + (t - 1 - begin) * vocabulary;
      double total = 0;
      for (std::size_t v = 0; v < vocabulary; ++v) total += std::exp(double{row[v]});
      sum += std::log(total) - row[tokens[t]];
      ++count;
    }
    counted = begin + 16;
  }
  PerplexityOptions options;
  options.context = 16;
  options.stride = 6;
  const PerplexityResult result = evaluate_perplexity(*model, tokens, nullptr, options);
  EXPECT_EQ(result.scored_tokens, count);
  EXPECT_EQ(count, 39U);
  EXPECT_NEAR(result.nll, sum / static_cast<double>(count), 1e-6);
}

TEST(Perplexity, RefusesWhatCannotBeScored) {
  const auto model = load("bitnet-odd/packed");
  const std::vector<TokenId> tokens(20, 1);
  PerplexityOptions options;
  options.context = 32;
  EXPECT_THROW(evaluate_perplexity(*model, tokens, nullptr, options), InvalidArgument);
  options.context = 1;
  EXPECT_THROW(evaluate_perplexity(*model, tokens, nullptr, options), InvalidArgument);
  options.context = 16;
  options.stride = 17;
  EXPECT_THROW(evaluate_perplexity(*model, tokens, nullptr, options), InvalidArgument);
  options.stride = 4;
  options.method = PerplexityMethod::second_half;
  EXPECT_THROW(evaluate_perplexity(*model, tokens, nullptr, options), InvalidArgument);
}

}  // namespace
}  // namespace bitnet
