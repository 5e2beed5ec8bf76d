// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/generation.h>

#include <array>

#include "generation/continuation.h"

namespace bitnet {

std::string_view to_string(FinishReason reason) {
  constexpr std::array<std::string_view, 5> kNames = {"length", "end_token", "stop_string",
                                                      "cancelled", "context_full"};
  return kNames[static_cast<std::size_t>(reason)];
}

struct Session::State {
  LanguageModel& model;
  const Tokenizer* tokenizer;
  SessionOptions options;
  CachedText text;
  std::vector<float> logits;  // [V]
};

Session::Session(LanguageModel& model, const Tokenizer* tokenizer, const SessionOptions& options)
    : state_(std::make_unique<State>(State{
          .model = model,
          .tokenizer = tokenizer,
          .options = options,
          .text = {model.new_kv_cache(
              options.context == 0 ? model.max_positions() : options.context, options.cache_type)},
          .logits = std::vector<float>(model.config().vocab_size)})) {
  state_->text.tokens.reserve(state_->text.context());
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

const std::vector<TokenId>& Session::tokens() const { return state_->text.tokens; }
std::size_t Session::context() const { return state_->text.context(); }

void Session::reset() {
  state_->text.tokens.clear();
  state_->text.cache->truncate(0);
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
  State& state = *state_;
  config.validate();
  check_prompt(prompt, "prompt", state.model.config().vocab_size, context());
  Continuation continuation(state.model, state.tokenizer, config, state.options, on_token,
                            state.text, prompt);
  while (const std::optional<SequenceStep> step = continuation.next_step()) {
    const std::span<float> logits =
        std::span(state.logits).first(step->rows() * state.logits.size());
    state.model.forward({&*step, 1}, logits);
    continuation.accept(logits);
  }
  return continuation.take_result();
}

}  // namespace bitnet
