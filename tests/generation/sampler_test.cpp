// SPDX-License-Identifier: MIT
// Oracle: the definitions of the sampling steps, on sorted double probabilities.
#include <bitnet/error.h>
#include <bitnet/generation.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "generation/sampler.h"

namespace bitnet {
namespace {

std::vector<float> random_logits(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(count);
  std::ranges::generate(logits, [&] { return normal(random); });
  return logits;
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature = 1) {
  const double largest = *std::ranges::max_element(logits);
  std::vector<double> p;
  double sum = 0;
  for (const float logit : logits) {
    p.push_back(std::exp((logit - largest) / temperature));
    sum += p.back();
  }
  for (double& x : p) x /= sum;
  return p;
}

/// Tokens by falling probability.
std::vector<TokenId> ranking(const std::vector<float>& logits) {
  std::vector<TokenId> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<TokenId>(i);
  std::ranges::stable_sort(order, [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
  return order;
}

/// Which tokens ever come out.
std::set<TokenId> support(const std::vector<float>& logits, GenerationConfig config) {
  std::set<TokenId> seen;
  Sampler sampler(config);
  for (int i = 0; i < 20000; ++i) {
    std::vector<float> copy = logits;
    seen.insert(sampler.sample(copy, {}));
  }
  return seen;
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowestOfEquals) {
  GenerationConfig config;
  Sampler sampler(config);
  std::vector<float> logits = {0, 3, -1, 3};
  EXPECT_EQ(sampler.sample(logits, {}), 1U);
}

TEST(Sampler, DrawsFollowTheProbabilities) {
  const std::vector<float> logits = {1, 0, -1, 2, 0.5F};
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    GenerationConfig config;
    config.temperature = temperature;
    config.seed = 5;
    Sampler sampler(config);
    constexpr int kDraws = 40000;
    std::vector<int> counts(logits.size());
    for (int i = 0; i < kDraws; ++i) {
      std::vector<float> copy = logits;
      ++counts[sampler.sample(copy, {})];
    }
    const std::vector<double> p = softmax(logits, temperature);
    for (std::size_t i = 0; i < p.size(); ++i) {
      // Five standard deviations of a binomial count.
      const double bound = 5 * std::sqrt(kDraws * p[i] * (1 - p[i])) + 1;
      EXPECT_NEAR(counts[i], kDraws * p[i], bound) << "token " << i << ", T " << temperature;
    }
  }
}

TEST(Sampler, TopKKeepsTheKLargest) {
  const std::vector<float> logits = random_logits(50, 1);
  const std::vector<TokenId> order = ranking(logits);
  GenerationConfig config;
  config.temperature = 20;  // so flat that all that is kept comes out
  for (const std::size_t k : {1, 2, 7, 50}) {
    config.top_k = k;
    EXPECT_EQ(support(logits, config),
              std::set<TokenId>(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k)));
  }
}

TEST(Sampler, TopPKeepsTheSmallestSetOfThatMass) {
  const std::vector<float> logits = random_logits(40, 2);
  const std::vector<double> p = softmax(logits);
  GenerationConfig config;
  config.temperature = 20;
  for (const float top_p : {0.1F, 0.5F, 0.9F, 0.99F}) {
    config.top_p = top_p;
    std::set<TokenId> expected;
    double mass = 0;
    for (const TokenId token : ranking(logits)) {
      if (mass >= top_p) break;
      expected.insert(token);
      mass += p[token];
    }
    EXPECT_EQ(support(logits, config), expected) << top_p;
  }
}

TEST(Sampler, MinPDropsWhatIsUnlikelyBesideTheBest) {
  const std::vector<float> logits = random_logits(40, 3);
  const std::vector<double> p = softmax(logits);
  const double best = *std::ranges::max_element(p);
  GenerationConfig config;
  config.temperature = 20;
  for (const float min_p : {0.01F, 0.1F, 0.5F, 1.0F}) {
    config.min_p = min_p;
    std::set<TokenId> expected;
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (p[i] >= min_p * best) expected.insert(static_cast<TokenId>(i));
    }
    EXPECT_EQ(support(logits, config), expected) << min_p;
  }
}

TEST(Sampler, TypicalKeepsWhatIsAsSurprisingAsTheEntropy) {
  const std::vector<float> logits = random_logits(40, 4);
  const std::vector<double> p = softmax(logits);
  double entropy = 0;
  for (const double x : p) entropy -= x * std::log(x);
  std::vector<TokenId> order = ranking(logits);
  std::ranges::stable_sort(order, [&](TokenId a, TokenId b) {
    return std::abs(-std::log(p[a]) - entropy) < std::abs(-std::log(p[b]) - entropy);
  });
  GenerationConfig config;
  config.temperature = 20;
  for (const float typical : {0.2F, 0.5F, 0.9F}) {
    config.typical_p = typical;
    std::set<TokenId> expected;
    double mass = 0;
    for (const TokenId token : order) {
      if (mass > typical) break;
      expected.insert(token);
      mass += p[token];
    }
    EXPECT_EQ(support(logits, config), expected) << typical;
  }
}

TEST(Sampler, PenaltiesAndBias) {
  GenerationConfig config;
  config.repetition_penalty = 2;
  config.frequency_penalty = 0.5F;
  config.presence_penalty = 0.25F;
  config.repeat_last_n = 4;
  config.logit_bias = {{0, 100.0F}, {5, -std::numeric_limits<float>::infinity()}};
  std::vector<float> logits = {1, 8, -2, 4, 4, 4};
  const std::vector<TokenId> history = {3, 1, 1, 2, 1};  // 3 is too far back
  Sampler sampler(config);
  EXPECT_EQ(sampler.sample(logits, history), 0U);
  EXPECT_EQ(logits[0], 101.0F);
  EXPECT_EQ(logits[1], 8.0F / 2 - 3 * 0.5F - 0.25F);
  EXPECT_EQ(logits[2], -2.0F * 2 - 0.5F - 0.25F);
  EXPECT_EQ(logits[3], 4.0F);
  EXPECT_EQ(logits[5], -std::numeric_limits<float>::infinity());
}

TEST(Sampler, TheSameSeedDrawsTheSame) {
  const std::vector<float> logits = random_logits(1000, 6);
  const auto draw = [&](std::uint64_t seed) {
    GenerationConfig config;
    config.temperature = 1;
    config.top_p = 0.95F;
    config.seed = seed;
    Sampler sampler(config);
    std::vector<TokenId> tokens;
    for (int i = 0; i < 100; ++i) {
      std::vector<float> copy = logits;
      tokens.push_back(sampler.sample(copy, {}));
    }
    return tokens;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, LogprobsAreOfTheSoftmax) {
  const std::vector<float> logits = random_logits(300, 7);
  const std::vector<double> p = softmax(logits);
  const LogSoftmax log_softmax(logits);
  const std::vector<TokenLogprob> best = best_tokens(logits, 5, log_softmax);
  const std::vector<TokenId> order = ranking(logits);
  ASSERT_EQ(best.size(), 5U);
  for (std::size_t i = 0; i < best.size(); ++i) {
    EXPECT_EQ(best[i].token, order[i]);
    // exp within 2 ulp: the sum within 2^-22 of itself, plus the float result's own rounding.
    EXPECT_NEAR(best[i].logprob, std::log(p[order[i]]), 4e-7 + 1e-6 * std::abs(best[i].logprob));
  }
}

TEST(GenerationConfig, RefusesWhatNoSamplingCanFollow) {
  const auto complaint = [](auto set) {
    GenerationConfig config;
    set(config);
    try {
      config.validate();
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(complaint([](auto& c) { c.temperature = -1; }).find("temperature"), std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.temperature = NAN; }).find("temperature"), std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.top_p = 0; }).find("top_p"), std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.min_p = 2; }).find("min_p"), std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.typical_p = 0; }).find("typical_p"), std::string::npos);
  EXPECT_NE(complaint([](auto& c) { c.repetition_penalty = 0; }).find("repetition_penalty"),
            std::string::npos);
  EXPECT_NE(complaint([](auto& c) {
              c.logit_bias = {{1, NAN}};
            }).find("logit_bias"),
            std::string::npos);
  EXPECT_EQ(complaint([](auto&) {}), "");
}

}  // namespace
}  // namespace bitnet
