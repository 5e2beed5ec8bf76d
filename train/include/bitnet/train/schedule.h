// SPDX-License-Identifier: MIT
// Learning rate and weight decay of each step, as a pure function of the step.
#pragma once

#include <cstdint>
#include <string_view>

namespace bitnet::train {

enum class ScheduleKind {
  /// Linear to 0, with a lower peak and no weight decay from half time on: the recipe of BitNet
  /// b1.58
  /// ("Training Tips, Code and FAQ", 2024).
  two_stage,
  linear,
  cosine,
  warmup_stable_decay,  ///< the peak until `decay_share` of the steps are left, then linear to 0
  constant,
};
/// "two_stage", "linear", "cosine", "wsd", "constant".
std::string_view to_string(ScheduleKind kind);
/// Throws InvalidArgument that lists the names.
ScheduleKind parse_schedule(std::string_view name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::two_stage;
  std::int64_t steps = 0;
  std::int64_t warmup_steps = 0;  ///< linear up to the peak
  double learning_rate = 1.5e-3;  ///< peak
  double second_peak = 1e-3;      ///< of two_stage, from `stage_share` of the steps on
  double stage_share = 0.5;
  /// Where linear and cosine end; two_stage at the same part of second_peak as this is of
  /// learning_rate.
  double least_learning_rate = 0;
  double decay_share = 0.2;   ///< of warmup_stable_decay
  double weight_decay = 0.1;  ///< with two_stage 0 in the second stage

  struct Rates {
    double learning_rate;
    double weight_decay;
  };
  /// step 0 .. steps - 1.
  Rates at(std::int64_t step) const;
};

/// Strength of quantization when a float model is converted: 0 before it starts, then in a straight
/// line to 1 at `warmup_steps` (0: always 1).
double lambda_at(std::int64_t step, std::int64_t warmup_steps);

}  // namespace bitnet::train
