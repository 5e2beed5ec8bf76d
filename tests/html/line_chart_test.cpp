// SPDX-License-Identifier: MIT
#include "html/line_chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "html/page_checks.h"

namespace bitnet {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> texts(const std::vector<double>& ticks) {
  std::vector<std::string> result;
  for (const double tick : ticks) {
    result.push_back(tick_text(tick));
  }
  return result;
}

using Texts = std::vector<std::string>;

// Oracle: by hand.
TEST(LineChart, TicksAreRound) {
  EXPECT_EQ(texts(linear_ticks(2.9, 8.3, 5)), Texts({"4", "6", "8"}));
  EXPECT_EQ(texts(linear_ticks(0, 0.00156, 5)), Texts({"0", "0.0005", "0.001", "0.0015"}));
  EXPECT_EQ(texts(linear_ticks(10, 51000, 5)), Texts({"20 k", "40 k"}));
  EXPECT_EQ(texts(linear_ticks(-1, 1, 4)), Texts({"-1", "-0.5", "0", "0.5", "1"}));
  EXPECT_EQ(texts(logarithmic_ticks(0.7, 12, 5)), Texts({"1", "2", "5", "10"}));
  EXPECT_EQ(texts(logarithmic_ticks(70, 2e5, 5)), Texts({"100", "1000", "10 k", "100 k"}));
  EXPECT_LE(logarithmic_ticks(1e-30, 1e30, 5).size(), 6U);
}

// Oracle: no more than count + 1, in order, within the bounds, whatever these are.
TEST(LineChart, TicksEndForAnyRange) {
  for (const double low : {-1e30, -1e-30, 0.0, 1e-300, 1.0, 1e16, 1e29}) {
    for (const double width : {0.0, 1e-300, 1e-12, 1.0, 1e30}) {
      const std::vector<double> ticks = linear_ticks(low, low + width, 5);
      EXPECT_LE(ticks.size(), 6U) << low << " " << width;
    }
  }
}

LineChart chart_of(const std::vector<ChartPoint>& points) {
  LineChart chart;
  chart.title = "A < B";
  chart.unit = "%";
  chart.x_name = "step";
  chart.series = {
      {.name = "one & only", .form = ChartSeries::Form::line, .color = 0, .points = points}};
  return chart;
}

/// What an attribute of the first path says.
std::string path_of(const std::string& svg) {
  const std::size_t at = svg.find(" d=\"");
  return at == std::string::npos ? "" : svg.substr(at + 4, svg.find('"', at + 4) - at - 4);
}

// Oracle: by hand. The axis reaches from 0 to 10 and 4 per cent of that beyond the greatest value.
TEST(LineChart, PlacesPointsBetweenItsAxes) {
  LineChart chart = chart_of({{0, 0}, {50, 10}, {100, 5.2}});
  const std::string svg = to_svg(chart);
  expect_balanced(svg);
  EXPECT_EQ(path_of(svg), "M0.0 1000.0h0L500.0 38.5L1000.0 500.0");
  EXPECT_EQ(occurrences(svg, "<b>A &lt; B</b>"), 1U);
  EXPECT_EQ(occurrences(svg, "one &amp; only"), 1U);
  EXPECT_EQ(occurrences(svg, ">10 %</text>"), 1U);
  EXPECT_EQ(occurrences(svg, "class=\"y\""), 3U);  // 0, 5, 10
  EXPECT_EQ(occurrences(svg, "class=\"x\""), 6U);  // 0, 20, ... 100

  chart.marks = {{50, 10}};
  chart.series[0].form = ChartSeries::Form::points;
  const std::string dots = to_svg(chart);
  expect_balanced(dots);
  EXPECT_EQ(path_of(dots), "");
  EXPECT_EQ(occurrences(dots, "class=\"points series0\""), 3U);
  EXPECT_EQ(occurrences(dots, "class=\"mark\" cx=\"50.00%\" cy=\"3.85%\""), 1U);
  EXPECT_EQ(occurrences(dots, "<title>step 100: 5.2</title>"), 1U);
}

// Oracle: by hand: from 10 / 1.05 to 1000 * 1.05, whose middle is 100.
TEST(LineChart, LogarithmicAxis) {
  LineChart chart = chart_of({{0, 10}, {1, 100}, {2, 0}, {3, 100}, {4, 1000}});
  chart.logarithmic = true;
  const double margin = 1000 * std::log(1.05) / (2 * std::log(1.05) + std::log(100));
  const std::string edge = std::to_string(std::lround(margin));
  EXPECT_EQ(edge, "10");
  EXPECT_EQ(path_of(to_svg(chart)), "M0.0 989.6h0L250.0 500.0M750.0 500.0h0L1000.0 10.4");
}

// Oracle: the contract: such points cut the line, and nothing else happens.
TEST(LineChart, NumbersThatCannotBeDrawnCutTheLine) {
  const std::string path = path_of(
      to_svg(chart_of({{0, kNaN}, {1, 1}, {2, 1e300}, {3, -HUGE_VAL}, {4, 2}, {5, 3}, {6, kNaN}})));
  EXPECT_EQ(occurrences(path, "M"), 2U);
  EXPECT_EQ(occurrences(path, "L"), 1U);
  for (const std::vector<ChartPoint>& points :
       std::vector<std::vector<ChartPoint>>{{},
                                            {{1, kNaN}},
                                            {{kNaN, 1}},
                                            {{5, 7}},
                                            {{0, 0}},
                                            {{1, -1e30}, {2, 1e30}},
                                            {{1e-300, 1e-300}}}) {
    for (const bool logarithmic : {false, true}) {
      LineChart chart = chart_of(points);
      chart.logarithmic = logarithmic;
      const std::string svg = to_svg(chart);
      expect_balanced(svg);
      EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
      EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
    }
  }
}

// Oracle: the contract: spikes survive, order and number of points do not grow.
TEST(LineChart, LongLinesKeepTheirSpikes) {
  std::vector<ChartPoint> points;
  for (int i = 0; i < 100000; ++i) {
    points.push_back({static_cast<double>(i), i == 77777 ? 100.0 : 50 + (i % 7)});
  }
  points[33333].y = 0;
  const std::string path = path_of(to_svg(chart_of(points)));
  EXPECT_EQ(occurrences(path, "L") + 1, kDrawnPoints);
  EXPECT_EQ(occurrences(path, " 1000.0L"), 1U);  // the 0
  EXPECT_EQ(occurrences(path, " 38.5L"), 1U);    // the 100
}

}  // namespace
}  // namespace bitnet
