// SPDX-License-Identifier: MIT
#include "training_charts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "html/number_text.h"

namespace bitnet::train {
namespace {

using Form = ChartSeries::Form;

template <class Metrics>
std::vector<ChartPoint> curve(const std::map<std::int64_t, Metrics>& entries,
                              double Metrics::*metric, double factor = 1) {
  std::vector<ChartPoint> points;
  points.reserve(entries.size());
  for (const auto& [step, metrics] : entries) {
    points.push_back({static_cast<double>(step), factor * metrics.*metric});
  }
  return points;
}

bool has_numbers(const std::vector<ChartPoint>& points) {
  return std::ranges::any_of(points, [](const ChartPoint& p) { return std::isfinite(p.y); });
}

std::string latest(const std::vector<ChartPoint>& points) {
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (std::isfinite(point->y)) {
      return "latest " + format_short(point->y);
    }
  }
  return "";
}

/// All charts span the same steps, so that one is read above the other.
LineChart step_chart(const TrainingLog& log, std::string title, std::string unit) {
  LineChart chart;
  chart.title = std::move(title);
  chart.unit = std::move(unit);
  chart.x_name = "step";
  chart.x_end = static_cast<double>(log.last_step());
  return chart;
}

/// A chart of one curve; nothing if the log has no such numbers.
std::string draw(LineChart chart, std::vector<ChartPoint> points, int color = 0) {
  if (!has_numbers(points)) {
    return "";
  }
  chart.latest = latest(points) + (chart.unit == "%" ? " %" : "");
  chart.series = {{.name = {}, .form = Form::line, .color = color, .points = std::move(points)}};
  return to_svg(chart);
}

std::string loss_chart(const TrainingLog& log) {
  const std::vector<ChartPoint> train = curve(log.steps, &StepMetrics::loss);
  const std::vector<ChartPoint> dev = curve(log.evaluations, &EvaluationMetrics::loss);
  if (!has_numbers(train) && !has_numbers(dev)) {
    return "";
  }
  LineChart chart = step_chart(log, "Loss", "nats per token");
  const std::vector<ChartPoint> smooth =
      smoothed(train, std::max(5.0, static_cast<double>(train.size()) / 50));
  chart.latest = latest(smooth);
  chart.series = {{.name = "train", .form = Form::faint_line, .points = train},
                  {.name = "smoothed", .points = smooth},
                  {.name = "dev", .form = Form::points, .color = 1, .points = dev}};
  if (const std::optional<ChartPoint> best = best_evaluation(log)) {
    chart.marks = {*best};
    chart.latest += (chart.latest.empty() ? "" : ", ") + std::string("best dev ") +
                    format_short(best->y) + " at step " + format_fixed(best->x, 0);
  }
  return to_svg(chart);
}

std::string bits_chart(const TrainingLog& log) {
  std::vector<ChartPoint> points = curve(log.evaluations, &EvaluationMetrics::bits_per_byte);
  if (!has_numbers(points)) {
    return "";
  }
  LineChart chart = step_chart(log, "Dev text", "bits per byte");
  chart.latest = latest(points);
  chart.series = {{.name = {}, .form = Form::line, .color = 1, .points = points},
                  {.name = {}, .form = Form::points, .color = 1, .points = std::move(points)}};
  return to_svg(chart);
}

}  // namespace

std::optional<ChartPoint> best_evaluation(const TrainingLog& log) {
  std::optional<ChartPoint> marked;
  std::optional<ChartPoint> least;
  for (const auto& [step, evaluation] : log.evaluations) {
    const ChartPoint point = {static_cast<double>(step), evaluation.loss};
    if (!std::isfinite(point.y)) {
      continue;
    }
    if (evaluation.is_best) {
      marked = point;
    }
    if (!least || point.y < least->y) {
      least = point;
    }
  }
  return marked ? marked : least;
}

std::vector<ChartPoint> smoothed(const std::vector<ChartPoint>& points, double memory) {
  const double kept = 1 - 1 / memory;
  struct Sum {
    double values = 0;
    double weights = 0;

    void add(double value, double kept) {
      values = kept * values + value;
      weights = kept * weights + 1;
    }
  };
  std::vector<Sum> sums(points.size());  // from the first point to each
  std::vector<ChartPoint> means = points;
  Sum before;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (std::isfinite(points[i].y)) {
      before.add(points[i].y, kept);
    }
    sums[i] = before;
  }
  Sum behind;  // from each point to the last
  for (std::size_t i = points.size(); i-- > 0;) {
    const double y = points[i].y;
    if (std::isfinite(y)) {
      behind.add(y, kept);
      means[i].y = (sums[i].values + behind.values - y) / (sums[i].weights + behind.weights - 1);
    }
  }
  return means;
}

std::string charts_section(const TrainingLog& log) {
  const auto of = [&](double StepMetrics::*metric, double factor = 1) {
    return curve(log.steps, metric, factor);
  };
  const auto logarithmic = [](LineChart chart) {
    chart.logarithmic = true;
    return chart;
  };
  const auto from_zero = [](LineChart chart) {
    chart.from_zero = true;
    return chart;
  };
  std::string charts = loss_chart(log) + bits_chart(log);
  charts += draw(from_zero(step_chart(log, "Learning rate", "")), of(&StepMetrics::learning_rate));
  charts += draw(from_zero(step_chart(log, "Weight decay", "")), of(&StepMetrics::weight_decay));
  const std::vector<ChartPoint> lambda = of(&StepMetrics::lambda);
  if (std::ranges::any_of(lambda, [](const ChartPoint& point) { return point.y < 1; })) {
    charts += draw(from_zero(step_chart(log, "Strength of quantization", "λ")), lambda);
  }
  charts += draw(step_chart(log, "Sparsity", "%"), of(&StepMetrics::sparsity, 100), 2);
  charts += draw(logarithmic(step_chart(log, "Flips", "trits per step")),
                 of(&StepMetrics::flips_per_step), 2);
  charts +=
      draw(logarithmic(step_chart(log, "Gradient norm", "")), of(&StepMetrics::gradient_norm));
  charts +=
      draw(from_zero(step_chart(log, "Speed", "tokens/s")), of(&StepMetrics::tokens_per_second));
  return charts.empty()
             ? ""
             : "<section><h2>Curves</h2><div class=\"charts\">" + charts + "</div></section>\n";
}

}  // namespace bitnet::train
