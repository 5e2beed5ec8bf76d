// SPDX-License-Identifier: MIT
#include "line_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <sstream>

#include "html_text.h"
#include "number_text.h"

namespace bitnet {
namespace {

constexpr int kTicks = 5;
// Beyond it differences and their products could overflow.
constexpr double kLargest = 1e30;

bool is_drawable(const ChartPoint& point, bool logarithmic) {
  return std::abs(point.x) <= kLargest && std::abs(point.y) <= kLargest &&
         (!logarithmic || point.y >= 1 / kLargest);
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  bool is_empty() const { return low > high; }
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// One direction of a plot: where values lie, 0 to 1, and its ticks.
class Axis {
 public:
  Axis(Range values, bool logarithmic) : logarithmic_(logarithmic) {
    if (values.is_empty()) {
      values = logarithmic ? Range{1, 10} : Range{0, 1};
    }
    if (logarithmic) {
      // A factor of at least 5 around the values holds two ticks.
      const double middle = std::sqrt(values.low) * std::sqrt(values.high);
      const double spread = std::max(1.05 * std::sqrt(values.high / values.low), std::sqrt(5.0));
      low_ = std::log(middle / spread);
      high_ = std::log(middle * spread);
      ticks_ = logarithmic_ticks(std::exp(low_), std::exp(high_), kTicks);
    } else {
      if (values.low == values.high) {
        const double around = values.low == 0 ? 1 : 0.1 * std::abs(values.low);
        values = {values.low - (values.low == 0 ? 0 : around), values.high + around};
      }
      low_ = values.low;
      high_ = values.high;
      ticks_ = linear_ticks(low_, high_, kTicks);
    }
  }

  double position(double value) const {
    return ((logarithmic_ ? std::log(value) : value) - low_) / (high_ - low_);
  }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  bool logarithmic_;
  double low_;
  double high_;
  std::vector<double> ticks_;
};

struct Axes {
  Axis x;
  Axis y;

  double left(const ChartPoint& point) const { return x.position(point.x); }
  double top(const ChartPoint& point) const { return 1 - y.position(point.y); }
};

Axes axes_of(const LineChart& chart) {
  Range x{0, std::max(0.0, chart.x_end)};
  Range y;
  const auto include = [&](const std::vector<ChartPoint>& points) {
    for (const ChartPoint& point : points) {
      if (is_drawable(point, chart.logarithmic)) {
        x.include(point.x);
        y.include(point.y);
      }
    }
  };
  for (const ChartSeries& series : chart.series) {
    include(series.points);
  }
  include(chart.marks);
  if (chart.from_zero) {
    y.include(0);
  }
  if (!chart.logarithmic && y.high > y.low) {
    const double margin = 0.04 * (y.high - y.low);
    // Where nothing is negative, nor is the axis.
    y = {y.low >= 0 ? std::max(0.0, y.low - margin) : y.low - margin, y.high + margin};
  }
  return {Axis(x, false), Axis(y, chart.logarithmic)};
}

std::string percent(double share) { return format_fixed(100 * share, 2) + "%"; }

/// The points to draw: all, or those with the least and the greatest y of each stretch, in order.
/// One that cannot be drawn is both.
std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points, bool logarithmic) {
  if (points.size() <= kDrawnPoints) {
    return points;
  }
  std::vector<ChartPoint> kept;
  const std::size_t stretches = kDrawnPoints / 2;
  for (std::size_t i = 0; i < stretches; ++i) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(points.size() * i / stretches);
    const auto end =
        points.begin() + static_cast<std::ptrdiff_t>(points.size() * (i + 1) / stretches);
    const auto gap =
        std::find_if(begin, end, [&](const auto& p) { return !is_drawable(p, logarithmic); });
    if (gap != end) {
      kept.push_back(*gap);
      continue;
    }
    auto [least, greatest] = std::minmax_element(
        begin, end, [](const ChartPoint& a, const ChartPoint& b) { return a.y < b.y; });
    kept.push_back(*std::min(least, greatest));
    if (least != greatest) {
      kept.push_back(*std::max(least, greatest));
    }
  }
  return kept;
}

std::string form_class(ChartSeries::Form form) {
  constexpr std::array<const char*, 3> kNames = {"line", "faint_line", "points"};
  return kNames[static_cast<std::size_t>(form)];
}

std::string class_of(const ChartSeries& series) {
  return form_class(series.form) + " series" + std::to_string(series.color);
}

/// In the units of a plot of 1000 by 1000 that is stretched to its place.
std::string line(const ChartSeries& series, const Axes& axes, bool logarithmic) {
  std::string path;
  bool open = false;
  for (const ChartPoint& point : thinned(series.points, logarithmic)) {
    if (!is_drawable(point, logarithmic)) {
      open = false;
      continue;
    }
    const std::string place =
        format_fixed(1000 * axes.left(point), 1) + " " + format_fixed(1000 * axes.top(point), 1);
    // The stretch of no length makes a dot of a point that stands alone.
    path += open ? "L" + place : "M" + place + "h0";
    open = true;
  }
  return path.empty() ? "" : "<path class=\"" + class_of(series) + "\" d=\"" + path + "\"/>";
}

std::string circle(const std::string& css_class, const ChartPoint& point, const Axes& axes,
                   double radius, const std::string& title) {
  return "<circle class=\"" + css_class + "\" cx=\"" + percent(axes.left(point)) + "\" cy=\"" +
         percent(axes.top(point)) + "\" r=\"" + format_fixed(radius, 1) + "\"><title>" +
         html_escape(title) + "</title></circle>";
}

std::string grid(const LineChart& chart, const Axes& axes) {
  std::ostringstream svg;
  const std::string unit = chart.unit == "%" ? " %" : "";
  for (const double tick : axes.y.ticks()) {
    const std::string y = percent(1 - axes.y.position(tick));
    svg << "<line x1=\"0\" x2=\"100%\" y1=\"" << y << "\" y2=\"" << y
        << "\"/><text class=\"y\" x=\"-8\" y=\"" << y << "\" dy=\".35em\">" << tick_text(tick)
        << unit << "</text>";
  }
  for (const double tick : axes.x.ticks()) {
    const std::string x = percent(axes.x.position(tick));
    svg << "<svg x=\"" << x << "\" y=\"100%\" class=\"plot\"><line class=\"base\" y2=\"5\"/>"
        << "<text class=\"x\" y=\"18\">" << tick_text(tick) << "</text></svg>";
  }
  svg << "<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"100%\" y2=\"100%\"/>";
  return svg.str();
}

std::string caption(const LineChart& chart) {
  std::string html = "<figcaption><b>" + html_escape(chart.title) + "</b>";
  if (!chart.unit.empty()) {
    html += "<span>" + html_escape(chart.unit) + "</span>";
  }
  for (const ChartSeries& series : chart.series) {
    if (!series.name.empty()) {
      html += "<span><i class=\"key " + class_of(series) + "\"></i>" + html_escape(series.name) +
              "</span>";
    }
  }
  if (!chart.latest.empty()) {
    html += "<span class=\"latest\">" + html_escape(chart.latest) + "</span>";
  }
  return html + "</figcaption>";
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  if (!(rough > 0)) {
    return {low};
  }
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double factor = rough / power;
  const double step = power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
  std::vector<double> ticks;
  // Counted, not summed: neither drifts nor runs forever where low + step == low.
  const double first = std::ceil(low / step - 1e-9);
  for (int i = 0; i <= count && (first + i) * step <= high + 1e-9 * step; ++i) {
    ticks.push_back((first + i) * step);
  }
  return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high, int count) {
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const auto ticks = [&](const std::vector<int>& factors, int stride) {
    std::vector<double> values;
    for (int exponent = first; exponent <= last; exponent += stride) {
      for (const int factor : factors) {
        const double value = factor * std::pow(10, exponent);
        if (value >= low && value <= high) {
          values.push_back(value);
        }
      }
    }
    return values;
  };
  std::vector<double> fine = ticks({1, 2, 5}, 1);
  if (fine.size() <= static_cast<std::size_t>(count)) {
    return fine;
  }
  return ticks({1}, 1 + (last - first) / (count + 1));
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size < 1e4 || size >= 1e15) {
    return format_short(size < 1e-300 ? 0 : value);
  }
  constexpr std::array<const char*, 4> kUnits = {" k", " M", " G", " T"};
  std::size_t unit = 0;
  double scale = 1e3;
  for (; size >= 1e3 * scale && unit + 1 < kUnits.size(); ++unit) {
    scale *= 1e3;
  }
  return format_short(value / scale) + kUnits[unit];
}

std::string to_svg(const LineChart& chart) {
  const Axes axes = axes_of(chart);
  const bool has_legend =
      std::ranges::any_of(chart.series, [](const ChartSeries& s) { return !s.name.empty(); });
  std::ostringstream html;
  html << "<figure" << (has_legend ? " class=\"wide\"" : "") << ">" << caption(chart)
       << "<svg class=\"chart\" role=\"img\"><title>"
       << html_escape(chart.title + " by " + chart.x_name) << "</title>" << grid(chart, axes)
       << "<svg class=\"plot\" width=\"100%\" height=\"100%\" viewBox=\"0 0 1000 1000\" "
          "preserveAspectRatio=\"none\">";
  for (const ChartSeries& series : chart.series) {
    if (series.form != ChartSeries::Form::points) {
      html << line(series, axes, chart.logarithmic);
    }
  }
  html << "</svg>";
  const auto title = [&](const ChartPoint& point) {
    return chart.x_name + " " + format_fixed(point.x, 0) + ": " + format_short(point.y);
  };
  for (const ChartSeries& series : chart.series) {
    if (series.form == ChartSeries::Form::points) {
      for (const ChartPoint& point : thinned(series.points, chart.logarithmic)) {
        if (is_drawable(point, chart.logarithmic)) {
          html << circle(class_of(series), point, axes, 4, title(point));
        }
      }
    }
  }
  for (const ChartPoint& point : chart.marks) {
    if (is_drawable(point, chart.logarithmic)) {
      html << circle("mark", point, axes, 7.5, "best, " + title(point));
    }
  }
  html << "</svg></figure>\n";
  return html.str();
}

}  // namespace bitnet
