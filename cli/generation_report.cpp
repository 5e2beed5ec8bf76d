// SPDX-License-Identifier: MIT
#include "generation_report.h"

#include "command.h"

namespace bitnet::cli {
namespace {

double per_second(std::size_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

/// The first generated token comes with the prompt's logits.
std::size_t steps_of(const GenerationResult& result) {
  return result.tokens.empty() ? 0 : result.tokens.size() - 1;
}

}  // namespace

std::string describe(const GenerationResult& result, const GenerationConfig& config,
                     LoadedModel& loaded) {
  const std::size_t read = result.prompt_tokens - result.cached_tokens;
  const double speed = per_second(steps_of(result), result.generation_seconds);
  std::string text = "prompt " + std::to_string(result.prompt_tokens) + " tokens";
  if (result.cached_tokens != 0) {
    text += " (" + std::to_string(result.cached_tokens) + " known)";
  }
  text += ", " + format_fixed(per_second(read, result.prompt_seconds), 1) +
          " tokens/s; generated " + std::to_string(result.tokens.size()) + " tokens, " +
          format_fixed(speed, 1) + " tokens/s";
  if (speed > 0) {
    const double bytes =
        speed * static_cast<double>(loaded.model().bytes_per_token(config.largest_logits() == 0));
    text += " (weights at " + format_fixed(bytes / 1e9, 2) + " GB/s)";
  }
  return text + "; " + std::to_string(loaded.runtime().threads()) + " threads; loaded in " +
         format_fixed(loaded.load_seconds(), 2) +
         " s; end: " + std::string(to_string(result.finish));
}

nlohmann::ordered_json to_json(const GenerationResult& result) {
  nlohmann::ordered_json json;
  json["text"] = result.text;
  json["tokens"] = result.tokens;
  if (!result.logprobs.empty()) {
    json["logprobs"] = result.logprobs;
  }
  json["finish"] = to_string(result.finish);
  json["prompt_tokens"] = result.prompt_tokens;
  json["cached_tokens"] = result.cached_tokens;
  json["prompt_seconds"] = result.prompt_seconds;
  json["generation_seconds"] = result.generation_seconds;
  json["prompt_tokens_per_s"] =
      per_second(result.prompt_tokens - result.cached_tokens, result.prompt_seconds);
  json["tokens_per_s"] = per_second(steps_of(result), result.generation_seconds);
  return json;
}

}  // namespace bitnet::cli
