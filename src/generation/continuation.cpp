// SPDX-License-Identifier: MIT
#include "generation/continuation.h"

#include <bitnet/error.h>

#include <algorithm>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

/// Tokens of a prompt between two looks at the cancel flag.
constexpr std::size_t kPromptPart = 512;

}  // namespace

void check_prompt(std::span<const TokenId> prompt, const std::string& name, std::size_t vocab_size,
                  std::size_t context) {
  if (prompt.empty()) {
    throw InvalidArgument(name + ": expected at least one token, found none");
  }
  const auto bad = std::ranges::find_if(prompt, [&](TokenId token) { return token >= vocab_size; });
  if (bad != prompt.end()) {
    throw InvalidArgument(
        message(name, ": expected token ids below ", vocab_size, ", found ", *bad));
  }
  if (prompt.size() > context) {
    throw InvalidArgument(message(name, ": expected at most ", context,
                                  " tokens (the context), found ", prompt.size()));
  }
}

Continuation::Continuation(const LanguageModel& model, const Tokenizer* tokenizer,
                           const GenerationConfig& config, const SessionOptions& options,
                           const TokenCallback& on_token, CachedText& text,
                           std::span<const TokenId> prompt)
    : model_(model),
      tokenizer_(tokenizer),
      config_(config),
      options_(options),
      on_token_(on_token),
      text_(text),
      sampler_(config),
      stops_(config.stop) {
  if (tokenizer != nullptr) {
    detokenizer_.emplace(*tokenizer);
  }
  const auto common = std::ranges::mismatch(text.tokens, prompt).in1 - text.tokens.begin();
  // The last token is computed anew: its logits are needed.
  const std::size_t reused =
      std::min({static_cast<std::size_t>(common), text.cache->size(), prompt.size() - 1});
  text.cache->truncate(reused);
  text.tokens.assign(prompt.begin(), prompt.end());
  result_.prompt_tokens = prompt.size();
  result_.cached_tokens = reused;
  result_.tokens.reserve(std::min(config.max_new_tokens, text.context()));
}

bool Continuation::is_cancelled() const {
  return config_.cancel != nullptr && config_.cancel->load(std::memory_order_relaxed);
}

bool Continuation::is_end(TokenId token) const {
  const std::vector<std::uint64_t>& ends = model_.config().eos_token_ids;
  const bool is_models_end = tokenizer_ != nullptr ? tokenizer_->is_end_of_generation(token)
                                                   : std::ranges::find(ends, token) != ends.end();
  return (is_models_end && !config_.ignore_eos) ||
         std::ranges::find(config_.stop_tokens, token) != config_.stop_tokens.end();
}

std::optional<SequenceStep> Continuation::next_step() {
  if (!finish_ && is_cancelled()) {
    finish_ = FinishReason::cancelled;
  }
  if (finish_) {
    return std::nullopt;
  }
  const std::size_t begin = text_.cache->size();
  const std::size_t count = std::min(kPromptPart, text_.tokens.size() - begin);
  const bool is_last = begin + count == text_.tokens.size();
  return SequenceStep{std::span(text_.tokens).subspan(begin, count), text_.cache.get(),
                      is_last ? OutputRows::last : OutputRows::none, config_.largest_logits()};
}

void Continuation::accept(std::span<float> logits) {
  if (logits.empty()) {
    return;
  }
  if (!first_logits_) {
    first_logits_ = Clock::now();
    if (config_.max_new_tokens == 0) {
      finish_ = FinishReason::length;
      return;
    }
  }
  choose(logits);
  decide();
  tell();
  if (!finish_ && text_.tokens.size() > text_.context()) {
    shift();
  }
}

GenerationResult Continuation::take_result() {
  const auto seconds = [](Clock::duration time) {
    return std::chrono::duration<double>(time).count();
  };
  const Clock::time_point end = Clock::now();
  result_.prompt_seconds = seconds(first_logits_.value_or(end) - start_);
  result_.generation_seconds = seconds(end - first_logits_.value_or(end));
  result_.finish = finish_.value_or(FinishReason::cancelled);
  return std::move(result_);
}

void Continuation::choose(std::span<float> logits) {
  if (config_.logit_filter) {
    config_.logit_filter(result_.tokens, logits);
  }
  scratch_.assign(logits.begin(), logits.end());  // sampling changes them
  piece_.token = sampler_.sample(scratch_, text_.tokens);
  if (config_.logprobs || config_.top_logprobs != 0) {
    const LogSoftmax softmax(logits);
    piece_.logprob = softmax(logits[piece_.token]);
    piece_.top = best_tokens(logits, config_.top_logprobs, softmax);
    result_.logprobs.push_back(piece_.logprob);
  }
  text_.tokens.push_back(piece_.token);
  result_.tokens.push_back(piece_.token);
}

void Continuation::decide() {
  const bool ends = is_end(piece_.token);
  piece_.text = detokenizer_ && !ends ? stops_.add(detokenizer_->add(piece_.token)) : "";
  if (ends) {
    finish_ = FinishReason::end_token;
  } else if (stops_.found()) {
    finish_ = FinishReason::stop_string;
  } else if (result_.tokens.size() == config_.max_new_tokens) {
    finish_ = FinishReason::length;
  } else if (is_cancelled()) {
    finish_ = FinishReason::cancelled;
  } else if (text_.tokens.size() > text_.context() && !options_.context_shift) {
    finish_ = FinishReason::context_full;
  }
  if (finish_ && detokenizer_ && !stops_.found()) {
    piece_.text += stops_.add(detokenizer_->flush());
    piece_.text += stops_.flush();
  }
}

void Continuation::tell() {
  result_.text += piece_.text;
  if (on_token_ && !on_token_(piece_) && !finish_) {
    finish_ = FinishReason::cancelled;
  }
}

void Continuation::shift() {
  const std::size_t keep = std::min(options_.keep, text_.context() / 2);
  const std::size_t drop = std::max<std::size_t>(1, (text_.tokens.size() - keep) / 2);
  const auto first = text_.tokens.begin() + static_cast<std::ptrdiff_t>(keep);
  text_.tokens.erase(first, first + static_cast<std::ptrdiff_t>(drop));
  text_.cache->truncate(std::min(text_.cache->size(), keep));
}

}  // namespace bitnet
