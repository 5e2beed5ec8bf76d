// SPDX-License-Identifier: MIT
#include <bitnet/embedding.h>
#include <bitnet/error.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/message.h"

namespace bitnet {
namespace {

/// Sum of the rows, in double and in their order.
std::vector<double> sum_rows(std::span<const float> states, std::size_t width) {
  std::vector<double> sums(width);
  for (std::size_t i = 0; i < states.size(); ++i) {
    sums[i % width] += states[i];
  }
  return sums;
}

}  // namespace

Pooling parse_pooling_name(std::string_view name) {
  if (name == "mean") {
    return Pooling::mean;
  }
  if (name == "cls") {
    return Pooling::cls;
  }
  if (name == "last") {
    return Pooling::last;
  }
  throw InvalidArgument(message("pooling: expected mean, cls or last, found ", name));
}

std::vector<float> embed(LanguageModel& model, std::span<const TokenId> tokens,
                         std::optional<Pooling> pooling, std::optional<CacheType> cache_type) {
  if (tokens.empty()) {
    throw InvalidArgument("embed: expected at least one token, found none");
  }
  if (!pooling) {
    const std::string& stored = model.config().pooling;
    pooling = stored.empty() ? Pooling::last : parse_pooling_name(stored);
  }
  const std::size_t width = model.config().hidden_size;
  const auto cache = model.new_kv_cache(tokens.size(), cache_type);
  const bool needs_all = *pooling != Pooling::last;
  std::vector<float> states((needs_all ? tokens.size() : 1) * width);
  const SequenceStep step{tokens, cache.get(), needs_all ? OutputRows::all : OutputRows::last};
  model.hidden_states({&step, 1}, states);

  const std::span<const float> pooled =
      *pooling == Pooling::cls ? std::span<const float>(states).first(width) : states;
  const std::vector<double> vector = sum_rows(pooled, width);  // its length does not matter
  double square = 0;
  for (const double x : vector) {
    square += x * x;
  }
  if (!(square > 0) || !std::isfinite(square)) {
    throw QuantizationError(message("embed: expected a vector with a length, found ", square));
  }
  std::vector<float> result(width);
  std::ranges::transform(vector, result.begin(),
                         [&](double x) { return static_cast<float>(x / std::sqrt(square)); });
  return result;
}

}  // namespace bitnet
