// SPDX-License-Identifier: MIT
// Perplexity: how well a model predicts a text. Methods are not comparable with each other.
#pragma once

#include <bitnet/model.h>
#include <bitnet/tokenizer.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace bitnet {

enum class PerplexityMethod {
  /// Windows of `context` tokens side by side, the incomplete last one dropped; each token but a
  /// window's first is predicted from those before it in the window.
  windows,
  /// llama.cpp's: the same windows, the first token of each replaced by BOS where the model has one
  /// in front of texts; only tokens context/2 + 1 .. context - 1 count.
  second_half,
};
std::string_view to_string(PerplexityMethod method);

struct PerplexityOptions {
  PerplexityMethod method = PerplexityMethod::windows;
  std::size_t context = 512;
  /// windows only: the next window begins so many tokens later, and counts only what no window
  /// before it did. 0: context.
  std::size_t stride = 0;
  /// second_half only; nullopt: none is put in place.
  std::optional<TokenId> first_token = std::nullopt;
  std::optional<CacheType> cache_type = std::nullopt;
};

struct PerplexityResult {
  std::size_t scored_tokens = 0;
  std::size_t scored_bytes = 0;  ///< of their text; 0 without a tokenizer
  double nll = 0;                ///< mean of -ln p
  double nll_stderr = 0;         ///< standard error of that mean

  double perplexity() const;
  /// Standard error of the perplexity: perplexity * nll_stderr, as llama.cpp prints it.
  double perplexity_stderr() const;
  double bits_per_byte() const;  ///< 0 without a tokenizer
};

/// Done and total windows, and the perplexity so far.
using PerplexityProgress =
    std::function<void(std::size_t done, std::size_t total, double perplexity)>;

/// tokenizer may be nullptr. InvalidArgument for fewer tokens than a window, or options that fit
/// neither the model nor each other.
PerplexityResult evaluate_perplexity(LanguageModel& model, std::span<const TokenId> tokens,
                                     const Tokenizer* tokenizer, const PerplexityOptions& options,
                                     const PerplexityProgress& progress = {});

}  // namespace bitnet
