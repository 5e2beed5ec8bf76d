// SPDX-License-Identifier: MIT
#include "training_log.h"

#include <bitnet/error.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/checked_json.h"

namespace bitnet::train {
namespace {

using Json = nlohmann::json;

constexpr JsonRules kRules = {.max_depth = 16, .unique_keys = false};
constexpr std::int64_t kMostSteps = std::int64_t{1} << 52;  // as doubles they are exact

double number(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>() : kNoNumber;
}

std::string text(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<std::int64_t> step_of(const Json& line, const char* key = "step") {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number_integer()) {
    return std::nullopt;
  }
  const auto step = found->get<std::int64_t>();
  return step >= 0 && step <= kMostSteps ? std::optional(step) : std::nullopt;
}

/// Leaves of nested objects, under their path.
void append_options(const std::string& name, const Json& value,
                    std::vector<std::pair<std::string, std::string>>& options) {
  if (!value.is_object()) {
    options.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    return;
  }
  for (const auto& [key, inner] : value.items()) {
    append_options(name.empty() ? key : name + "." + key, inner, options);
  }
}

/// Entries of steps beyond one that training went back to.
template <class Entries>
void drop_beyond(std::int64_t step, Entries& entries) {
  std::erase_if(entries, [&](const auto& entry) {
    if constexpr (requires { entry.first.first; }) {
      return entry.first.first > step;
    } else {
      return entry.first > step;
    }
  });
}

class Reader {
 public:
  /// False for what is no line of ours.
  bool read(std::string_view line) {
    Json json;
    try {
      json = parse_checked_json(line, "metrics.jsonl", kRules);
    } catch (const FormatError&) {
      return false;
    }
    if (!json.is_object()) {
      return false;
    }
    const std::string event = text(json, "event");
    if (event == "start") {
      return read_start(json);
    }
    const std::optional<std::int64_t> step = step_of(json);
    if (!step) {
      return false;
    }
    if (event == "finish") {
      log.finish = LoggedFinish{*step, text(json, "reason"), number(json, "seconds")};
      return true;
    }
    return read_entry(event, *step, json);
  }

  TrainingLog log;

 private:
  bool read_start(const Json& line) {
    const bool resumes = line.contains("resumed_from") && !line["resumed_from"].is_null();
    const std::optional<std::int64_t> from = step_of(line, "resumed_from");
    if (resumes && !from) {
      return false;
    }
    go_back_to(resumes ? *from : -1);
    LoggedStart start;
    start.time = text(line, "time");
    start.device = text(line, "device");
    start.parameters = number(line, "parameters");
    start.ternary_parameters = number(line, "ternary_parameters");
    start.train_tokens = number(line, "train_tokens");
    start.dev_tokens = number(line, "dev_tokens");
    start.threads = number(line, "threads");
    if (line.contains("config") && line["config"].is_object()) {
      append_options("", line["config"], start.options);
    }
    log.start = std::move(start);
    log.finish.reset();
    if (resumes) {
      log.resumed_from.push_back(*from);
    }
    return true;
  }

  void go_back_to(std::int64_t step) {
    drop_beyond(step, log.steps);
    drop_beyond(step, log.evaluations);
    drop_beyond(step, log.samples);
    drop_beyond(step, log.checkpoints);
    std::erase_if(log.resumed_from, [&](std::int64_t from) { return from >= step; });
  }

  bool read_entry(const std::string& event, std::int64_t step, const Json& line) {
    if (event == "step") {
      log.steps[step] = {.loss = number(line, "loss"),
                         .learning_rate = number(line, "learning_rate"),
                         .weight_decay = number(line, "weight_decay"),
                         .lambda = number(line, "lambda"),
                         .gradient_norm = number(line, "gradient_norm"),
                         .tokens = number(line, "tokens"),
                         .seconds = number(line, "seconds"),
                         .tokens_per_second = number(line, "tokens_per_second"),
                         .sparsity = number(line, "sparsity"),
                         .flips_per_step = number(line, "flips_per_step"),
                         .flips_share = number(line, "flips_share")};
    } else if (event == "evaluation") {
      const auto best = line.find("best");
      log.evaluations[step] = {.loss = number(line, "dev_loss"),
                               .perplexity = number(line, "dev_perplexity"),
                               .bits_per_byte = number(line, "dev_bits_per_byte"),
                               .is_best = best != line.end() && best->is_boolean() && *best};
    } else if (event == "sample") {
      log.samples[{step, text(line, "prompt")}] = text(line, "text");
    } else if (event == "checkpoint") {
      log.checkpoints[step] = text(line, "folder");
    } else {
      return false;
    }
    return true;
  }
};

}  // namespace

TrainingLog read_training_log(std::string_view metrics_jsonl) {
  Reader reader;
  while (!metrics_jsonl.empty()) {
    const std::size_t end = metrics_jsonl.find('\n');
    const std::string_view line = metrics_jsonl.substr(0, end);
    const bool is_complete = end != std::string_view::npos;
    metrics_jsonl.remove_prefix(is_complete ? end + 1 : metrics_jsonl.size());
    if (line.find_first_not_of(" \t\r") == std::string_view::npos || reader.read(line) ||
        !is_complete) {
      continue;
    }
    ++reader.log.unreadable_lines;
    // What a crash cut off has no end of line: the next run's first line follows on it.
    const std::size_t start = line.rfind("{\"event\":\"start\"");
    if (start != std::string_view::npos && start != 0) {
      reader.read(line.substr(start));
    }
  }
  return std::move(reader.log);
}

std::optional<std::string> TrainingLog::option(std::string_view name) const {
  if (!start) {
    return std::nullopt;
  }
  const std::string last_part = std::string(1, '.').append(name);
  const auto found = std::ranges::find_if(start->options, [&](const auto& option) {
    return option.first == name || option.first.ends_with(last_part);
  });
  return found == start->options.end() ? std::nullopt : std::optional(found->second);
}

TrainingLog::Step TrainingLog::last_step() const {
  Step last = resumed_from.empty() ? 0 : resumed_from.back();
  last = std::max(last, steps.empty() ? 0 : steps.rbegin()->first);
  last = std::max(last, evaluations.empty() ? 0 : evaluations.rbegin()->first);
  last = std::max(last, checkpoints.empty() ? 0 : checkpoints.rbegin()->first);
  return finish ? std::max(last, finish->step) : last;
}

}  // namespace bitnet::train
