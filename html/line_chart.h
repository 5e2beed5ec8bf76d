// SPDX-License-Identifier: MIT
// Curves over a common horizontal axis, as inline SVG with axes, round ticks and a caption.
#pragma once

#include <string>
#include <vector>

namespace bitnet {

struct ChartPoint {
  double x = 0;
  double y = 0;
};

struct ChartSeries {
  enum class Form { line, faint_line, points };

  std::string name;  ///< for the legend, text; empty: not in the legend
  Form form = Form::line;
  int color = 0;                   ///< 0, 1, 2
  std::vector<ChartPoint> points;  ///< by x; one that cannot be drawn cuts the line
};

struct LineChart {
  std::string title;         ///< all text here is not yet escaped
  std::string unit;          ///< of y: "%" also stands at the ticks
  std::string latest;        ///< the last value, in words; may be empty
  std::string x_name;        ///< "step"
  double x_end = 0;          ///< the axis reaches from 0 at least so far
  bool logarithmic = false;  ///< y; values of 0 and less cannot be drawn
  bool from_zero = false;    ///< y begins at 0 however far the values are from it
  std::vector<ChartSeries> series;
  std::vector<ChartPoint> marks;  ///< ringed
};

/// A figure as wide as its place, with a legend as wide as the page. Beyond kDrawnPoints a line
/// keeps the least and the greatest value of each stretch.
std::string to_svg(const LineChart& chart);

inline constexpr std::size_t kDrawnPoints = 1000;

/// Multiples of 1, 2 or 5 times a power of ten from `low` to `high`, about `count` of them.
std::vector<double> linear_ticks(double low, double high, int count);
/// Powers of ten, with their doubles and fivefolds where that gives no more than `count`; every
/// second, third... power where even the powers are more. 0 < low.
std::vector<double> logarithmic_ticks(double low, double high, int count);

/// "0.0015", "12.5 k", "5e-05"
std::string tick_text(double value);

/// Distances in per cent of the plot, so that text and dots keep their size at any width.
inline constexpr const char* kLineChartStyle = R"css(
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:30px 36px}
.charts figure{margin:0;min-width:0}.charts figure.wide{grid-column:1/-1}
.charts figcaption b{margin-right:2px}
.latest{margin-left:auto;color:var(--ink)}
.key{display:inline-block;width:16px;height:0;border-top:2.5px solid;margin-right:6px;vertical-align:middle}
.key.points{width:9px;height:9px;border:0;border-radius:50%;background:currentColor}
.key.faint_line{opacity:.4}
.series0{color:var(--series0)}.series1{color:var(--series1)}.series2{color:var(--series2)}
.chart{width:calc(100% - 62px);height:190px;margin:14px 14px 28px 48px;overflow:visible}
.wide .chart{height:300px}
.chart .plot{overflow:visible}
.chart text{fill:var(--muted);font-size:12px}
.chart .y{text-anchor:end}.chart .x{text-anchor:middle}
.chart line{stroke:var(--line);stroke-width:1px;shape-rendering:crispEdges}
.chart .base{stroke:var(--muted)}
.chart path{fill:none;stroke:currentColor;stroke-width:2px;vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}
.chart .faint_line{stroke-width:1px;opacity:.4}
.chart circle{fill:currentColor;stroke:var(--card);stroke-width:1px}
.chart .mark{fill:none;stroke:var(--ink);stroke-width:1.5px}
:root{--series0:#0068a8;--series1:#bf4d00;--series2:#00765a}
@media (prefers-color-scheme:dark){:root{--series0:#62b6ee;--series1:#eda33b;--series2:#3cc59c}}
)css";

}  // namespace bitnet
