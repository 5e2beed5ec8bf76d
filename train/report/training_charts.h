// SPDX-License-Identifier: MIT
// The curves of a training.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "html/line_chart.h"
#include "training_log.h"

namespace bitnet::train {

/// Step and loss of the best evaluation: the last that says so, otherwise the least loss.
std::optional<ChartPoint> best_evaluation(const TrainingLog& log);

/// Means over both sides, whose weights fall by 1 - 1 / memory from one point to the next: such a
/// mean does not lag where the curve falls. NaN stays out of the means and where it is.
std::vector<ChartPoint> smoothed(const std::vector<ChartPoint>& points, double memory);

/// A `<section>`, empty before anything was logged.
std::string charts_section(const TrainingLog& log);

}  // namespace bitnet::train
