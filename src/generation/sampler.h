// SPDX-License-Identifier: MIT
// Sampler: from logits to the next token.
#pragma once

#include <bitnet/generation.h>

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace bitnet {

/// One candidate. `weight` is a probability times a common factor.
struct Candidate {
  TokenId token;
  float logit;
  float weight;
};

/// Log-probabilities of a row of logits [V].
class LogSoftmax {
 public:
  /// Sums exp(logit - max) in double, in the order of tokens.
  explicit LogSoftmax(std::span<const float> logits);
  float operator()(float logit) const { return static_cast<float>(precise(logit)); }
  double precise(float logit) const { return logit - offset_; }

 private:
  double offset_;  // log Σ exp(logit)
};

/// The `count` best tokens of a row, best first, the lower id of equals.
std::vector<TokenLogprob> best_tokens(std::span<const float> logits, std::size_t count,
                                      const LogSoftmax& softmax);

class Sampler {
 public:
  /// The config must be valid.
  explicit Sampler(const GenerationConfig& config);

  /// Chooses by the steps that GenerationConfig describes; `logits` [V] is changed. `history` is
  /// the text so far: its last tokens meet penalties.
  TokenId sample(std::span<float> logits, std::span<const TokenId> history);

 private:
  void penalize(std::span<float> logits, std::span<const TokenId> history) const;
  void collect(std::span<const float> logits);
  /// Weights relative to the best candidate, at a temperature.
  void weigh(float temperature);
  void keep_top_k();
  void keep_typical();
  void keep_top_p();
  void keep_min_p();
  TokenId draw();

  const GenerationConfig& config_;
  std::mt19937_64 random_;
  std::vector<Candidate> candidates_;
  std::vector<float> arguments_;  // of exp
};

/// The index of the largest logit, the lowest of equals; [V] must not be empty.
TokenId most_likely(std::span<const float> logits);

}  // namespace bitnet
