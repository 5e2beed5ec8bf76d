// SPDX-License-Identifier: MIT
// Continuation: one text on its way from the prompt to its end, whoever runs the model.
#pragma once

#include <bitnet/generation.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generation/sampler.h"
#include "generation/stop_strings.h"

namespace bitnet {

/// A text, and the cache that holds all of it but, at times, its end.
struct CachedText {
  std::unique_ptr<KvCache> cache;
  std::vector<TokenId> tokens = {};

  std::size_t context() const { return cache->capacity(); }
};

/// InvalidArgument, beginning with `name`, for a prompt that is empty, longer than the context or
/// of tokens beyond the vocabulary.
void check_prompt(std::span<const TokenId> prompt, const std::string& name, std::size_t vocab_size,
                  std::size_t context);

/// Alternates: next_step() for the model, accept() of its logits; until there is no next step.
class Continuation {
 public:
  /// Makes `text` a prompt that was checked, with what its cache has of that already. Model,
  /// tokenizer (nullptr: none), config, callback and text must outlive it.
  Continuation(const LanguageModel& model, const Tokenizer* tokenizer,
               const GenerationConfig& config, const SessionOptions& options,
               const TokenCallback& on_token, CachedText& text, std::span<const TokenId> prompt);

  /// Tokens that the cache lacks, long prompts in parts; nullopt: the text has ended.
  std::optional<SequenceStep> next_step();
  /// `logits` [V] behind the step, which may be changed; none when it asked for none.
  void accept(std::span<float> logits);
  /// Once. A text that has not ended was cancelled.
  GenerationResult take_result();

 private:
  bool is_cancelled() const;
  bool is_end(TokenId token) const;
  /// The next token, into piece_ and the text.
  void choose(std::span<float> logits);
  /// Whether the text ends here.
  void decide();
  void tell();
  /// Forgets the older half behind the tokens to keep.
  void shift();

  using Clock = std::chrono::steady_clock;

  const LanguageModel& model_;
  const Tokenizer* tokenizer_;
  const GenerationConfig& config_;
  SessionOptions options_;
  const TokenCallback& on_token_;
  CachedText& text_;
  Sampler sampler_;
  StopStrings stops_;
  std::optional<Detokenizer> detokenizer_;
  std::vector<float> scratch_;  // [V]
  GeneratedToken piece_;
  GenerationResult result_;
  std::optional<FinishReason> finish_;
  Clock::time_point start_ = Clock::now();
  std::optional<Clock::time_point> first_logits_;
};

}  // namespace bitnet
