// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/schedule.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "base/message.h"

namespace bitnet::train {
namespace {

constexpr std::array<std::pair<ScheduleKind, std::string_view>, 5> kNames = {{
    {ScheduleKind::two_stage, "two_stage"},
    {ScheduleKind::linear, "linear"},
    {ScheduleKind::cosine, "cosine"},
    {ScheduleKind::warmup_stable_decay, "wsd"},
    {ScheduleKind::constant, "constant"},
}};

}  // namespace

std::string_view to_string(ScheduleKind kind) {
  return std::ranges::find(kNames, kind, [](const auto& entry) { return entry.first; })->second;
}

ScheduleKind parse_schedule(std::string_view name) {
  std::string known;
  for (const auto& [kind, known_name] : kNames) {
    if (name == known_name) {
      return kind;
    }
    known += message(known.empty() ? "" : ", ", known_name);
  }
  throw InvalidArgument(message("schedule: expected one of ", known, ", found ", name));
}

Schedule::Rates Schedule::at(std::int64_t step) const {
  const double done =
      static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, steps));
  const bool second_stage = kind == ScheduleKind::two_stage && done >= stage_share;
  const double peak = second_stage ? second_peak : learning_rate;
  const double least = least_learning_rate / learning_rate;
  double share = 1;  // of the peak
  if (step < warmup_steps) {
    share = static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  } else if (kind == ScheduleKind::two_stage || kind == ScheduleKind::linear) {
    share = least + (1 - least) * (1 - done);
  } else if (kind == ScheduleKind::cosine) {
    const double after_warmup =
        static_cast<double>(step - warmup_steps) /
        static_cast<double>(std::max<std::int64_t>(1, steps - warmup_steps));
    share = least + (1 - least) * (1 + std::cos(std::numbers::pi * after_warmup)) / 2;
  } else if (kind == ScheduleKind::warmup_stable_decay) {
    share = std::min(1.0, (1 - done) / decay_share);
  }
  return {peak * share, second_stage ? 0 : weight_decay};
}

double lambda_at(std::int64_t step, std::int64_t warmup_steps) {
  return step >= warmup_steps ? 1 : static_cast<double>(step) / static_cast<double>(warmup_steps);
}

}  // namespace bitnet::train
