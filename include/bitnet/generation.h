// SPDX-License-Identifier: MIT
// Session: one text that a model continues; generate_batch: many at once; GenerationConfig: how
// their tokens are chosen.
#pragma once

#include <bitnet/model.h>
#include <bitnet/tokenizer.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

/// Names, order and meaning of the sampling steps are llama.cpp's: bias, penalties, top-k, typical,
/// top-p, min-p, temperature. The same config, text and model give the same tokens on any machine,
/// for any number of threads and in any company.
struct GenerationConfig {
  std::size_t max_new_tokens = 256;

  float temperature = 0;   ///< 0: the most likely token, the lowest id of equals
  std::size_t top_k = 0;   ///< keep the k most likely; 0: all
  float typical_p = 1;     ///< locally typical sampling (arXiv 2202.00666); 1: off
  float top_p = 1;         ///< keep the most likely that make up this probability; 1: all
  float min_p = 0;         ///< drop what is less likely than this part of the best; 0: none
  std::uint64_t seed = 0;  ///< of the draws

  std::size_t repeat_last_n = 64;  ///< tokens that the penalties look back on
  float repetition_penalty = 1;    ///< divides a positive logit of a token seen, multiplies others
  float frequency_penalty = 0;     ///< subtracted once for each time that it was seen
  float presence_penalty = 0;      ///< subtracted once if it was seen
  std::map<TokenId, float> logit_bias = {};  ///< added; -infinity forbids a token

  std::vector<std::string> stop = {};     ///< strings that end the text, which they are no part of
  std::vector<TokenId> stop_tokens = {};  ///< the same for tokens
  bool ignore_eos = false;                ///< go on behind the model's own end tokens
  bool logprobs = false;                  ///< report the logarithm of each token's probability
  std::size_t top_logprobs = 0;           ///< alternatives to report with each token

  /// Changes the logits [V] of the next token before anything else: the place for grammars.
  std::function<void(std::span<const TokenId> generated, std::span<float> logits)> logit_filter =
      {};
  /// Ends the work soon after it becomes true; also while the prompt is read.
  const std::atomic<bool>* cancel = nullptr;

  /// Throws InvalidArgument naming field, value and what is allowed.
  void validate() const;
  /// How many of the largest logits suffice to choose a token as all of them would; 0: all are
  /// needed, as by logprobs, a filter, top_p without top_k, or what can raise a logit.
  std::size_t largest_logits() const;
};

/// As those who made the model want its tokens chosen: do_sample, temperature, top_k and top_p of
/// generation_config.json. Without do_sample the temperature is 0, as it is where there is no such
/// file; all else is as by default. FormatError naming the key.
GenerationConfig load_generation_config(const Checkpoint& checkpoint);

struct TokenLogprob {
  TokenId token = 0;
  float logprob =
      0;  ///< natural logarithm of the model's own probability, before any sampling step
};

/// One generated token. `text` is what became certain with it: whole characters that cannot belong
/// to a stop string any more; it may be empty.
struct GeneratedToken {
  TokenId token = 0;
  std::string text;
  float logprob = 0;              ///< 0 unless GenerationConfig::logprobs or top_logprobs
  std::vector<TokenLogprob> top;  ///< GenerationConfig::top_logprobs of them, best first
};

/// Return false to stop.
using TokenCallback = std::function<bool(const GeneratedToken&)>;

enum class FinishReason {
  length,     ///< max_new_tokens
  end_token,  ///< one of the model's, or of stop_tokens
  stop_string,
  cancelled,
  context_full,
};
std::string_view to_string(FinishReason reason);

struct GenerationResult {
  std::vector<TokenId> tokens;  ///< generated; an end token is the last of them
  std::vector<float> logprobs;  ///< of each, when they were asked for
  std::string text;             ///< empty without a tokenizer
  FinishReason finish = FinishReason::length;
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;  ///< of the prompt, taken over from the text before
  double prompt_seconds = 0;      ///< until the first logits
  double generation_seconds = 0;  ///< from there on
};

struct SessionOptions {
  std::size_t context = 0;  ///< tokens; 0: as many as the model knows positions
  std::optional<CacheType> cache_type = std::nullopt;
  /// When the context is full: forget the older half of the text behind the first `keep` tokens and
  /// compute the rest anew, exactly as if it had been the prompt. Otherwise generation ends.
  bool context_shift = false;
  std::size_t keep = 0;
};

/// Keeps what the model has read, so that a prompt that begins with the text so far costs only its
/// new part. Not thread-safe; sessions of one model must take turns.
class Session {
 public:
  /// Model and tokenizer must outlive it. nullptr: token ids only, no text and no stop strings.
  Session(LanguageModel& model, const Tokenizer* tokenizer, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;

  /// Continues `prompt`, all of it. InvalidArgument for a prompt that is empty or does not fit the
  /// context, or a config that no sampling could follow.
  GenerationResult generate(std::span<const TokenId> prompt, const GenerationConfig& config,
                            const TokenCallback& on_token = {});
  /// The same of a text: encoded with the model's special tokens in front.
  GenerationResult generate(std::string_view prompt, const GenerationConfig& config,
                            const TokenCallback& on_token = {});

  /// The text so far, in tokens: prompt and what was generated.
  const std::vector<TokenId>& tokens() const;
  std::size_t context() const;
  /// Forgets the text.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct BatchOptions {
  std::size_t parallel = 64;  ///< texts in one forward pass; each has a cache of its own
  SessionOptions session = {};
};

/// A result and the index of its prompt. Return false to stop.
using BatchCallback = std::function<bool(std::size_t index, const GenerationResult& result)>;

/// Continues each prompt for itself, as a new Session would: the same tokens and texts, whatever
/// stands beside it. Only cached_tokens and seconds depend on that. `on_result` gets the
/// results in the order of prompts, each as soon as it and all in front of it are there; of what
/// was cancelled, and behind it, none. InvalidArgument as from Session, before anything is
/// computed: it says which prompt, counted from 1.
std::vector<GenerationResult> generate_batch(LanguageModel& model, const Tokenizer* tokenizer,
                                             std::span<const std::vector<TokenId>> prompts,
                                             const GenerationConfig& config,
                                             const BatchOptions& options = {},
                                             const BatchCallback& on_result = {});

}  // namespace bitnet
