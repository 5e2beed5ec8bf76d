// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/perplexity.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/message.h"
#include "generation/sampler.h"

namespace bitnet {
namespace {

/// Logits of a whole window of a large vocabulary would be hundreds of megabytes.
constexpr std::size_t kRowsAtOnce = 64;

/// Predictions of tokens [first_scored, end) of the text [begin, end).
struct Window {
  std::size_t begin;
  std::size_t end;
  std::size_t first_scored;
};

std::vector<Window> cut_windows(std::size_t tokens, const PerplexityOptions& options) {
  const std::size_t context = options.context;
  const bool second_half = options.method == PerplexityMethod::second_half;
  const std::size_t stride = options.stride == 0 ? context : options.stride;
  std::vector<Window> windows;
  for (std::size_t begin = 0; begin + context <= tokens; begin += stride) {
    const std::size_t counted = windows.empty() ? 0 : windows.back().end;
    windows.push_back({begin, begin + context,
                       second_half ? begin + context / 2 + 1 : std::max(begin + 1, counted)});
  }
  return windows;
}

void check(const LanguageModel& model, std::size_t tokens, const PerplexityOptions& options) {
  const bool second_half = options.method == PerplexityMethod::second_half;
  const std::size_t smallest = second_half ? 4 : 2;
  if (options.context < smallest || options.context > model.max_positions()) {
    throw InvalidArgument(message("perplexity: expected a context of ", smallest, " to ",
                                  model.max_positions(), " tokens, found ", options.context));
  }
  if (options.stride > options.context || (second_half && options.stride != 0)) {
    throw InvalidArgument(message("perplexity: expected a stride of 1 to ", options.context,
                                  " and the method windows, found ", options.stride));
  }
  if (tokens < options.context) {
    throw InvalidArgument(message("perplexity: expected at least one window of ", options.context,
                                  " tokens, found a text of ", tokens));
  }
}

class Evaluation {
 public:
  Evaluation(LanguageModel& model, std::span<const TokenId> tokens, const Tokenizer* tokenizer,
             const PerplexityOptions& options)
      : model_(model),
        tokens_(tokens),
        tokenizer_(tokenizer),
        options_(options),
        cache_(model.new_kv_cache(options.context, options.cache_type)),
        logits_(kRowsAtOnce * model.config().vocab_size) {}

  void run(const Window& window) {
    cache_->truncate(0);
    std::vector<TokenId> text(tokens_.begin() + static_cast<std::ptrdiff_t>(window.begin),
                              tokens_.begin() + static_cast<std::ptrdiff_t>(window.end));
    if (options_.method == PerplexityMethod::second_half && options_.first_token) {
      text.front() = *options_.first_token;
    }
    // The last token predicts nothing here; those before first_scored - 1 only fill the cache.
    const std::size_t predicting = window.first_scored - 1 - window.begin;
    if (predicting != 0) {
      const SequenceStep step{std::span(text).first(predicting), cache_.get(), OutputRows::none};
      model_.forward({&step, 1}, {});
    }
    for (std::size_t at = predicting; at + 1 < text.size(); at += kRowsAtOnce) {
      const std::size_t rows = std::min(kRowsAtOnce, text.size() - 1 - at);
      const SequenceStep step{std::span(text).subspan(at, rows), cache_.get(), OutputRows::all};
      const std::size_t vocabulary = model_.config().vocab_size;
      model_.forward({&step, 1}, std::span(logits_).first(rows * vocabulary));
      for (std::size_t i = 0; i < rows; ++i) {
        score(std::span<const float>(logits_).subspan(i * vocabulary, vocabulary),
              text[at + i + 1]);
      }
    }
  }

  PerplexityResult result() const {
    const auto count = static_cast<double>(scored_);
    const double mean = sum_ / count;
    const double variance = std::max(0.0, sum_of_squares_ / count - mean * mean);
    return {.scored_tokens = scored_,
            .scored_bytes = bytes_,
            .nll = mean,
            .nll_stderr = scored_ < 2 ? 0 : std::sqrt(variance / (count - 1))};
  }

 private:
  void score(std::span<const float> logits, TokenId target) {
    // Not through float: sums of many tokens shall not depend on its last bit.
    const double nll = -LogSoftmax(logits).precise(logits[target]);
    sum_ += nll;
    sum_of_squares_ += nll * nll;
    ++scored_;
    bytes_ += tokenizer_ == nullptr ? 0 : tokenizer_->token_bytes(target).size();
  }

  LanguageModel& model_;
  std::span<const TokenId> tokens_;
  const Tokenizer* tokenizer_;
  const PerplexityOptions& options_;
  std::unique_ptr<KvCache> cache_;
  std::vector<float> logits_;  // [kRowsAtOnce, V]
  std::size_t scored_ = 0;
  std::size_t bytes_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

}  // namespace

std::string_view to_string(PerplexityMethod method) {
  return method == PerplexityMethod::windows ? "windows" : "second-half";
}

double PerplexityResult::perplexity() const { return std::exp(nll); }
double PerplexityResult::perplexity_stderr() const { return perplexity() * nll_stderr; }
double PerplexityResult::bits_per_byte() const {
  return scored_bytes == 0 ? 0
                           : nll * static_cast<double>(scored_tokens) /
                                 (std::log(2.0) * static_cast<double>(scored_bytes));
}

PerplexityResult evaluate_perplexity(LanguageModel& model, std::span<const TokenId> tokens,
                                     const Tokenizer* tokenizer, const PerplexityOptions& options,
                                     const PerplexityProgress& progress) {
  check(model, tokens.size(), options);
  const std::vector<Window> windows = cut_windows(tokens.size(), options);
  Evaluation evaluation(model, tokens, tokenizer, options);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    evaluation.run(windows[i]);
    if (progress) {
      progress(i + 1, windows.size(), evaluation.result().perplexity());
    }
  }
  return evaluation.result();
}

}  // namespace bitnet
