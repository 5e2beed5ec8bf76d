// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/generation.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/message.h"
#include "model/model_config.h"
#include "model/model_source.h"

namespace bitnet {
namespace {

void require(bool holds, const char* field, double value, const char* expected) {
  if (!holds) {
    throw InvalidArgument(message(field, ": expected ", expected, ", found ", value));
  }
}

}  // namespace

void GenerationConfig::validate() const {
  require(temperature >= 0, "temperature", temperature, "0 or more");
  require(top_p > 0 && top_p <= 1, "top_p", top_p, "a number above 0, up to 1");
  require(typical_p > 0 && typical_p <= 1, "typical_p", typical_p, "a number above 0, up to 1");
  require(min_p >= 0 && min_p <= 1, "min_p", min_p, "0 to 1");
  require(repetition_penalty > 0 && std::isfinite(repetition_penalty), "repetition_penalty",
          repetition_penalty, "a positive number");
  require(std::isfinite(frequency_penalty), "frequency_penalty", frequency_penalty, "a number");
  require(std::isfinite(presence_penalty), "presence_penalty", presence_penalty, "a number");
  for (const auto& [token, bias] : logit_bias) {
    require(!std::isnan(bias) && bias < std::numeric_limits<float>::infinity(), "logit_bias", bias,
            "a number or -infinity");
  }
}

std::size_t GenerationConfig::largest_logits() const {
  const bool only_lowers =
      repetition_penalty >= 1 && frequency_penalty >= 0 && presence_penalty >= 0 &&
      std::ranges::all_of(logit_bias, [](const auto& bias) { return bias.second <= 0; });
  const std::size_t kept = temperature == 0 ? 1 : top_k;
  const bool penalizes = repetition_penalty != 1 || frequency_penalty != 0 || presence_penalty != 0;
  // Each token whose logit may sink can give up its place to the next one.
  const std::size_t sinking = logit_bias.size() + (penalizes ? repeat_last_n : 0);
  constexpr std::size_t kMany = 1024;
  if (logit_filter || logprobs || top_logprobs != 0 || !only_lowers || kept == 0 || kept > kMany ||
      sinking > kMany) {
    return 0;
  }
  return kept + sinking;
}

GenerationConfig load_generation_config(const Checkpoint& checkpoint) {
  const std::string text = read_companion(checkpoint, "generation_config.json");
  return text.empty() ? GenerationConfig{} : parse_generation_config(text);
}

}  // namespace bitnet
