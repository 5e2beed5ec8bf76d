// SPDX-License-Identifier: MIT
#include "generation/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kernel_table.h"

namespace bitnet {
namespace {

/// Best first; the lower id of equals, so that no sort can order them otherwise.
bool is_better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

/// e^x is the kernels' polynomial: the same on every machine.
const kernels::KernelTable& kernels_of_exp() { return Runtime::serial().kernels(); }

}  // namespace

TokenId most_likely(std::span<const float> logits) {
  return static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
}

LogSoftmax::LogSoftmax(std::span<const float> logits) {
  const float largest = *std::ranges::max_element(logits);
  thread_local std::vector<float> weights;
  weights.resize(logits.size());
  kernels_of_exp().exponentials(logits.data(), logits.size(), largest, weights.data());
  double sum = 0;
  for (const float weight : weights) {
    sum += weight;
  }
  offset_ = largest + std::log(sum);
}

std::vector<TokenLogprob> best_tokens(std::span<const float> logits, std::size_t count,
                                      const LogSoftmax& softmax) {
  std::vector<Candidate> best;
  for (std::size_t token = 0; token < logits.size() && count != 0; ++token) {
    const Candidate candidate{static_cast<TokenId>(token), logits[token], 0};
    if (best.size() < count || is_better(candidate, best.back())) {
      best.insert(std::ranges::upper_bound(best, candidate, is_better), candidate);
      best.resize(std::min(best.size(), count));
    }
  }
  std::vector<TokenLogprob> result;
  result.reserve(best.size());
  for (const Candidate& candidate : best) {
    result.push_back({candidate.token, softmax(candidate.logit)});
  }
  return result;
}

Sampler::Sampler(const GenerationConfig& config) : config_(config), random_(config.seed) {}

TokenId Sampler::sample(std::span<float> logits, std::span<const TokenId> history) {
  for (const auto& [token, bias] : config_.logit_bias) {
    if (token < logits.size()) {
      logits[token] += bias;
    }
  }
  penalize(logits, history);
  if (config_.temperature == 0) {
    return most_likely(logits);
  }
  collect(logits);
  keep_top_k();
  keep_typical();
  keep_top_p();
  keep_min_p();
  weigh(config_.temperature);
  return draw();
}

void Sampler::penalize(std::span<float> logits, std::span<const TokenId> history) const {
  if (config_.repetition_penalty == 1 && config_.frequency_penalty == 0 &&
      config_.presence_penalty == 0) {
    return;
  }
  const auto recent = history.last(std::min(history.size(), config_.repeat_last_n));
  for (std::size_t i = 0; i < recent.size(); ++i) {
    const TokenId token = recent[i];
    const auto earlier = recent.first(i);
    if (token >= logits.size() || std::ranges::find(earlier, token) != earlier.end()) {
      continue;  // each token once, however often it was seen
    }
    const auto times = static_cast<float>(std::ranges::count(recent, token));
    float& logit = logits[token];
    logit = logit > 0 ? logit / config_.repetition_penalty : logit * config_.repetition_penalty;
    logit -= times * config_.frequency_penalty + config_.presence_penalty;
  }
}

void Sampler::collect(std::span<const float> logits) {
  candidates_.clear();
  for (std::size_t token = 0; token < logits.size(); ++token) {
    if (logits[token] > -std::numeric_limits<float>::infinity()) {
      candidates_.push_back({static_cast<TokenId>(token), logits[token], 0});
    }
  }
  if (candidates_.empty()) {  // everything is forbidden
    candidates_.push_back({most_likely(logits), 0, 0});
  }
}

void Sampler::weigh(float temperature) {
  const float largest = std::ranges::max_element(candidates_, {}, &Candidate::logit)->logit;
  arguments_.resize(candidates_.size());
  std::ranges::transform(candidates_, arguments_.begin(), [&](const Candidate& candidate) {
    return (candidate.logit - largest) / temperature;
  });
  kernels_of_exp().exponentials(arguments_.data(), arguments_.size(), 0, arguments_.data());
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    candidates_[i].weight = arguments_[i];
  }
}

void Sampler::keep_top_k() {
  if (config_.top_k == 0 || config_.top_k >= candidates_.size()) {
    return;
  }
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(config_.top_k);
  std::nth_element(candidates_.begin(), end, candidates_.end(), is_better);
  candidates_.erase(end, candidates_.end());
}

void Sampler::keep_typical() {
  if (config_.typical_p == 1) {
    return;
  }
  weigh(1);
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    total += candidate.weight;
  }
  // Surprise of a candidate: -log p = log(total) - (logit - largest).
  const float largest = std::ranges::max_element(candidates_, {}, &Candidate::logit)->logit;
  const double log_total = std::log(total);
  const auto surprise = [&](const Candidate& candidate) {
    return log_total - static_cast<double>(candidate.logit - largest);
  };
  double entropy = 0;
  for (const Candidate& candidate : candidates_) {
    entropy += candidate.weight / total * surprise(candidate);
  }
  const auto strangeness = [&](const Candidate& candidate) {
    return static_cast<float>(std::abs(surprise(candidate) - entropy));
  };
  std::ranges::sort(candidates_, [&](const Candidate& a, const Candidate& b) {
    const float strange_a = strangeness(a);
    const float strange_b = strangeness(b);
    return strange_a != strange_b ? strange_a < strange_b : is_better(a, b);
  });
  double mass = 0;
  std::size_t kept = 0;
  while (kept < candidates_.size() && mass <= config_.typical_p * total) {
    mass += candidates_[kept++].weight;
  }
  candidates_.resize(kept);
}

void Sampler::keep_top_p() {
  if (config_.top_p == 1) {
    return;
  }
  weigh(1);
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    total += candidate.weight;
  }
  // A heap gives the best ones without sorting the vocabulary; the best move to the back.
  const auto is_worse = [](const Candidate& a, const Candidate& b) { return is_better(b, a); };
  std::ranges::make_heap(candidates_, is_worse);
  auto end = candidates_.end();
  double mass = 0;
  while (end != candidates_.begin() && mass < config_.top_p * total) {
    std::pop_heap(candidates_.begin(), end, is_worse);
    mass += (--end)->weight;
  }
  candidates_.erase(candidates_.begin(), end);
}

void Sampler::keep_min_p() {
  if (config_.min_p == 0) {
    return;
  }
  weigh(1);
  std::erase_if(candidates_, [this](const Candidate& candidate) {
    return candidate.weight < config_.min_p;  // the best one weighs 1
  });
}

TokenId Sampler::draw() {
  // In a fixed order: which candidates were kept must not decide where the draw falls among them.
  std::ranges::sort(candidates_, {}, &Candidate::token);
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    total += candidate.weight;
  }
  double rest = static_cast<double>(random_() >> 11) * 0x1p-53 * total;
  for (const Candidate& candidate : candidates_) {
    rest -= candidate.weight;
    if (rest < 0) {
      return candidate.token;
    }
  }
  return candidates_.back().token;
}

}  // namespace bitnet
