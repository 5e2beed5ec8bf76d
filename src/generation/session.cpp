// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/generation.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/message.h"
#include "generation/sampler.h"
#include "generation/stop_strings.h"

namespace bitnet {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Tokens of a prompt between two looks at the cancel flag.
constexpr std::size_t kPromptPart = 512;

}  // namespace

std::string_view to_string(FinishReason reason) {
  constexpr std::array<std::string_view, 5> kNames = {"length", "end_token", "stop_string",
                                                      "cancelled", "context_full"};
  return kNames[static_cast<std::size_t>(reason)];
}

struct Session::State {
  LanguageModel& model;
  const Tokenizer* tokenizer;
  SessionOptions options;
  std::unique_ptr<KvCache> cache;
  std::vector<TokenId> tokens;  // the text; the cache holds all of it but, at times, its end
  std::vector<float> logits;    // [V], behind what the cache holds; see SequenceStep::top

  std::size_t context() const { return cache->capacity(); }

  bool is_cancelled(const GenerationConfig& config) const {
    return config.cancel != nullptr && config.cancel->load(std::memory_order_relaxed);
  }

  bool is_end(TokenId token, const GenerationConfig& config) const {
    const bool is_models_end = tokenizer != nullptr
                                   ? tokenizer->is_end_of_generation(token)
                                   : std::ranges::find(model.config().eos_token_ids, token) !=
                                         model.config().eos_token_ids.end();
    return (is_models_end && !config.ignore_eos) ||
           std::ranges::find(config.stop_tokens, token) != config.stop_tokens.end();
  }

  /// Brings the cache up to `tokens`, with logits behind the last one. False when cancelled.
  bool catch_up(const GenerationConfig& config) {
    while (cache->size() < tokens.size()) {
      if (is_cancelled(config)) {
        return false;
      }
      const std::size_t begin = cache->size();
      const std::size_t count = std::min(kPromptPart, tokens.size() - begin);
      const bool is_last = begin + count == tokens.size();
      const SequenceStep step{std::span(tokens).subspan(begin, count), cache.get(),
                              is_last ? OutputRows::last : OutputRows::none,
                              config.largest_logits()};
      model.forward({&step, 1}, is_last ? std::span<float>(logits) : std::span<float>());
    }
    return true;
  }

  /// Forgets the older half behind the tokens to keep.
  void shift() {
    const std::size_t keep = std::min(options.keep, context() / 2);
    const std::size_t drop = std::max<std::size_t>(1, (tokens.size() - keep) / 2);
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(keep);
    tokens.erase(first, first + static_cast<std::ptrdiff_t>(drop));
    cache->truncate(std::min(cache->size(), keep));
  }

  void start(std::span<const TokenId> prompt, GenerationResult& result) {
    if (prompt.empty()) {
      throw InvalidArgument("prompt: expected at least one token, found none");
    }
    const std::uint64_t vocabulary = model.config().vocab_size;
    const auto bad =
        std::ranges::find_if(prompt, [&](TokenId token) { return token >= vocabulary; });
    if (bad != prompt.end()) {
      throw InvalidArgument(
          message("prompt: expected token ids below ", vocabulary, ", found ", *bad));
    }
    if (prompt.size() > context()) {
      throw InvalidArgument(message("prompt: expected at most ", context(),
                                    " tokens (the context), found ", prompt.size()));
    }
    const auto common = std::ranges::mismatch(tokens, prompt).in1 - tokens.begin();
    // The last token is computed anew: its logits are needed.
    const std::size_t reused =
        std::min({static_cast<std::size_t>(common), cache->size(), prompt.size() - 1});
    cache->truncate(reused);
    tokens.assign(prompt.begin(), prompt.end());
    result.prompt_tokens = prompt.size();
    result.cached_tokens = reused;
  }
};

/// One call of Session::generate.
class Generation {
 public:
  Generation(Session::State& state, const GenerationConfig& config, const TokenCallback& on_token)
      : state_(state), config_(config), on_token_(on_token), sampler_(config), stops_(config.stop) {
    if (state.tokenizer != nullptr) {
      detokenizer_.emplace(*state.tokenizer);
    }
  }

  GenerationResult run(std::span<const TokenId> prompt) {
    Clock::time_point start = Clock::now();
    state_.start(prompt, result_);
    result_.tokens.reserve(std::min(config_.max_new_tokens, state_.context()));
    if (!state_.catch_up(config_)) {
      finish_ = FinishReason::cancelled;
    } else if (config_.max_new_tokens == 0) {
      finish_ = FinishReason::length;
    }
    result_.prompt_seconds = seconds_since(start);
    start = Clock::now();
    while (!finish_) {
      choose();
      decide();
      tell();
      advance();
    }
    result_.generation_seconds = seconds_since(start);
    result_.finish = *finish_;
    return std::move(result_);
  }

 private:
  /// The next token, into piece_ and the text.
  void choose() {
    if (config_.logit_filter) {
      config_.logit_filter(result_.tokens, state_.logits);
    }
    scratch_.assign(state_.logits.begin(), state_.logits.end());  // sampling changes them
    piece_.token = sampler_.sample(scratch_, state_.tokens);
    if (config_.logprobs || config_.top_logprobs != 0) {
      const LogSoftmax softmax(state_.logits);
      piece_.logprob = softmax(state_.logits[piece_.token]);
      piece_.top = best_tokens(state_.logits, config_.top_logprobs, softmax);
      result_.logprobs.push_back(piece_.logprob);
    }
    state_.tokens.push_back(piece_.token);
    result_.tokens.push_back(piece_.token);
  }

  /// Whether the text ends here.
  void decide() {
    const bool is_end = state_.is_end(piece_.token, config_);
    piece_.text = detokenizer_ && !is_end ? stops_.add(detokenizer_->add(piece_.token)) : "";
    if (is_end) {
      finish_ = FinishReason::end_token;
    } else if (stops_.found()) {
      finish_ = FinishReason::stop_string;
    } else if (result_.tokens.size() == config_.max_new_tokens) {
      finish_ = FinishReason::length;
    } else if (state_.is_cancelled(config_)) {
      finish_ = FinishReason::cancelled;
    } else if (state_.tokens.size() > state_.context() && !state_.options.context_shift) {
      finish_ = FinishReason::context_full;
    }
    if (finish_ && detokenizer_ && !stops_.found()) {
      piece_.text += stops_.add(detokenizer_->flush());
      piece_.text += stops_.flush();
    }
  }

  void tell() {
    result_.text += piece_.text;
    if (on_token_ && !on_token_(piece_) && !finish_) {
      finish_ = FinishReason::cancelled;
    }
  }

  /// The logits behind the token.
  void advance() {
    if (finish_) {
      return;
    }
    if (state_.tokens.size() > state_.context()) {
      state_.shift();
    }
    if (!state_.catch_up(config_)) {
      finish_ = FinishReason::cancelled;
    }
  }

  Session::State& state_;
  const GenerationConfig& config_;
  const TokenCallback& on_token_;
  Sampler sampler_;
  StopStrings stops_;
  std::optional<Detokenizer> detokenizer_;
  std::vector<float> scratch_;  // [V]
  GeneratedToken piece_;
  GenerationResult result_;
  std::optional<FinishReason> finish_;
};

Session::Session(LanguageModel& model, const Tokenizer* tokenizer, const SessionOptions& options)
    : state_(std::make_unique<State>(State{
          .model = model,
          .tokenizer = tokenizer,
          .options = options,
          .cache = model.new_kv_cache(
              options.context == 0 ? model.max_positions() : options.context, options.cache_type),
          .tokens = {},
          .logits = std::vector<float>(model.config().vocab_size)})) {
  state_->tokens.reserve(state_->context());
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

const std::vector<TokenId>& Session::tokens() const { return state_->tokens; }
std::size_t Session::context() const { return state_->context(); }

void Session::reset() {
  state_->tokens.clear();
  state_->cache->truncate(0);
}

GenerationResult Session::generate(std::string_view prompt, const GenerationConfig& config,
                                   const TokenCallback& on_token) {
  if (state_->tokenizer == nullptr) {
    throw InvalidArgument("prompt: expected token ids, as there is no tokenizer, found text");
  }
  return generate(state_->tokenizer->encode(prompt), config, on_token);
}

GenerationResult Session::generate(std::span<const TokenId> prompt, const GenerationConfig& config,
                                   const TokenCallback& on_token) {
  config.validate();
  return Generation(*state_, config, on_token).run(prompt);
}

}  // namespace bitnet
