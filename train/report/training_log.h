// SPDX-License-Identifier: MIT
// metrics.jsonl, read: one entry per step, whatever was resumed and cut off on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet::train {

/// A number that a line does not have, or has as null: what became NaN or infinite.
inline constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

struct StepMetrics {
  double loss = kNoNumber;
  double learning_rate = kNoNumber;
  double weight_decay = kNoNumber;
  double lambda = kNoNumber;
  double gradient_norm = kNoNumber;
  double tokens = kNoNumber;
  double seconds = kNoNumber;
  double tokens_per_second = kNoNumber;
  double sparsity = kNoNumber;
  double flips_per_step = kNoNumber;
  double flips_share = kNoNumber;
};

struct EvaluationMetrics {
  double loss = kNoNumber;
  double perplexity = kNoNumber;
  double bits_per_byte = kNoNumber;
  bool is_best = false;  ///< so far
};

struct LoggedStart {
  std::string time;
  std::string device;
  double parameters = kNoNumber;
  double ternary_parameters = kNoNumber;
  double train_tokens = kNoNumber;
  double dev_tokens = kNoNumber;
  double threads = kNoNumber;
  /// Options as text, in the order of their names; nested ones as "model.hidden_size".
  std::vector<std::pair<std::string, std::string>> options;
};

struct LoggedFinish {
  std::int64_t step = 0;
  std::string reason;
  double seconds = kNoNumber;
};

struct TrainingLog {
  using Step = std::int64_t;

  std::optional<LoggedStart> start;    ///< of the last run
  std::vector<Step> resumed_from;      ///< those that still lie behind the last entry
  std::optional<LoggedFinish> finish;  ///< of the last run
  std::map<Step, StepMetrics> steps;
  std::map<Step, EvaluationMetrics> evaluations;
  std::map<std::pair<Step, std::string>, std::string> samples;  ///< by step and prompt
  std::map<Step, std::string> checkpoints;                      ///< names of folders
  std::size_t unreadable_lines = 0;

  /// An option of the last run by its name or the last part of it ("hidden_size").
  std::optional<std::string> option(std::string_view name) const;
  Step last_step() const;  ///< of anything logged, 0 before
};

TrainingLog read_training_log(std::string_view metrics_jsonl);

}  // namespace bitnet::train
