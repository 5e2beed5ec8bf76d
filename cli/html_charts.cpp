// SPDX-License-Identifier: MIT
#include "html_charts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <sstream>

#include "html/html_text.h"
#include "html/number_text.h"

namespace bitnet::cli {
namespace {

constexpr double kWidth = 240;

std::string decimal(double value) { return format_fixed(value, 1); }
std::string percent(double share) { return format_fixed(100 * share, 3) + "%"; }

/// Where the middle of a value lies in a histogram of kWidth.
class Axis {
 public:
  explicit Axis(const ValueStatistics::Histogram& histogram)
      : histogram_(histogram),
        bin_width_(kWidth /
                   static_cast<double>(std::max<std::size_t>(histogram.counts.size(), 1))) {}

  double left(std::size_t bin) const { return static_cast<double>(bin) * bin_width_; }
  double bin_width() const { return bin_width_; }
  double position(double value) const {
    return (value - histogram_.start) / histogram_.width * bin_width_;
  }

 private:
  const ValueStatistics::Histogram& histogram_;
  double bin_width_;
};

bool is_outlier(const ValueStatistics& values, std::size_t bin) {
  const double left = values.histogram.start + static_cast<double>(bin) * values.histogram.width;
  const double reach = kOutlierDeviations * values.standard_deviation;
  return left > values.mean + reach || left + values.histogram.width < values.mean - reach;
}

std::string description(const ValueStatistics& values) {
  return "<desc>" + with_separators(values.negatives) + " negative, " +
         with_separators(values.zeros) + " zero, " + with_separators(values.positives) +
         " positive</desc>";
}

std::string triangle(double x) {
  return "<path class=\"outlier\" d=\"M" + decimal(x - 3.5) + " 0h7l-3.5 5z\"/>";
}

/// cividis, which looks the same to all kinds of colour vision, at share 0 to 1.
std::string heat_color(double share) {
  using Color = std::array<int, 3>;
  constexpr std::array<Color, 6> kStops = {{{0, 34, 78},
                                            {53, 69, 108},
                                            {102, 105, 112},
                                            {148, 142, 119},
                                            {200, 184, 102},
                                            {254, 232, 56}}};
  const double position = std::clamp(share, 0.0, 1.0) * (kStops.size() - 1);
  const auto stop = std::min(static_cast<std::size_t>(position), kStops.size() - 2);
  const double rest = position - static_cast<double>(stop);
  std::array<char, 8> text;
  const auto mixed = [&](std::size_t channel) {
    const double from = kStops[stop][channel];
    return static_cast<unsigned>(from + rest * (kStops[stop + 1][channel] - from)) & 0xffU;
  };
  std::snprintf(text.data(), text.size(), "#%02x%02x%02x", mixed(0), mixed(1), mixed(2));
  return text.data();
}

}  // namespace

std::string trit_bar(const ValueStatistics& values) {
  struct Trit {
    const char* css_class;
    const char* sign;
    std::uint64_t count;
  };
  const std::array<Trit, 3> trits = {{{"neg", "−1", values.negatives},
                                      {"zero", "0", values.zeros},
                                      {"pos", "+1", values.positives}}};
  const std::uint64_t whole = values.negatives + values.zeros + values.positives;
  std::ostringstream svg;
  svg << "<svg class=\"trits\" viewBox=\"0 0 240 26\" role=\"img\"><title>Shares of −1, 0 and "
         "+1</title>"
      << description(values);
  double x = 0;
  for (const auto& [css_class, sign, count] : trits) {
    const double width =
        whole == 0 ? 0 : kWidth * static_cast<double>(count) / static_cast<double>(whole);
    svg << "<rect class=\"" << css_class << "\" x=\"" << decimal(x) << "\" width=\""
        << decimal(std::max(0.0, width - 1)) << "\" height=\"26\" rx=\"3\"/>";
    if (width > 60) {
      svg << "<text class=\"on-" << css_class << "\" x=\"" << decimal(x + width / 2)
          << "\" y=\"17\">" << sign << " · " << format_share(count, whole) << "</text>";
    }
    x += width;
  }
  svg << "</svg>";
  return svg.str();
}

std::uint64_t count_outliers(const ValueStatistics& values) {
  std::uint64_t count = 0;
  for (std::size_t bin = 0; bin < values.histogram.counts.size(); ++bin) {
    count += is_outlier(values, bin) ? values.histogram.counts[bin] : 0;
  }
  return count;
}

std::string histogram_chart(const ValueStatistics& values) {
  constexpr double kTop = 7;  // room for the marks of outliers
  constexpr double kBase = 46;
  const auto& counts = values.histogram.counts;
  const Axis axis(values.histogram);
  const double largest =
      counts.empty() ? 1 : std::sqrt(static_cast<double>(*std::ranges::max_element(counts)));
  std::string usual;
  std::string outliers;
  std::string marks;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    if (counts[bin] == 0) {
      continue;
    }
    const double height =
        std::max(1.0, (kBase - kTop) * std::sqrt(static_cast<double>(counts[bin])) / largest);
    const std::string bar = std::string("M") + decimal(axis.left(bin)) + " 46v-" + decimal(height) +
                            "h" + decimal(std::max(axis.bin_width() - 0.4, 0.8)) + "v" +
                            decimal(height) + "z";
    if (is_outlier(values, bin)) {
      outliers += bar;
      marks += triangle(axis.left(bin) + axis.bin_width() / 2);
    } else {
      usual += bar;
    }
  }
  std::ostringstream svg;
  svg << "<svg class=\"histogram\" viewBox=\"0 0 240 48\" role=\"img\"><title>Histogram of the "
         "values</title>"
      << description(values);
  if (values.min < 0 && values.max > 0) {
    const double zero = axis.position(0);
    svg << "<path class=\"axis\" d=\"M" << decimal(zero) << " 4V48\"/>";
  }
  svg << "<path class=\"axis\" d=\"M0 46.5H240\"/><path class=\"bars\" d=\"" << usual << "\"/>";
  if (!outliers.empty()) {
    svg << "<path class=\"outlier\" d=\"" << outliers << "\"/>" << marks;
  }
  svg << "</svg>";
  return svg.str();
}

std::string share_bar(std::string_view title, const std::vector<BarPart>& parts) {
  const double whole = std::accumulate(parts.begin(), parts.end(), 0.0,
                                       [](double sum, const BarPart& p) { return sum + p.size; });
  std::ostringstream svg;
  svg << "<svg class=\"shares\" role=\"img\"><title>" << html_escape(title) << "</title>";
  double x = 0;
  for (const BarPart& part : parts) {
    const double share = whole == 0 ? 0 : part.size / whole;
    const std::string label = html_escape(part.label);
    const std::string number = " · " + format_fixed(100 * share, share < 0.01 ? 2 : 1) + " %";
    // A nested svg clips its text.
    svg << "<svg x=\"" << percent(x) << "\" width=\"" << percent(share) << "\" height=\"100%\"><g>"
        << "<title>" << label << number << "</title><rect class=\"part " << part.part_class
        << "\" width=\"100%\" height=\"100%\"/>";
    if (share > 0.06) {
      svg << "<text x=\"10\" y=\"50%\" dy=\".35em\">" << label << (share > 0.15 ? number : "")
          << "</text>";
    }
    svg << "</g></svg>";
    x += share;
  }
  svg << "</svg>";
  return svg.str();
}

std::string heat_strip(std::string_view title, const std::vector<HeatCell>& cells, double low,
                       double high) {
  std::ostringstream svg;
  svg << "<svg class=\"strip\" role=\"img\"><title>" << html_escape(title) << "</title>";
  const double width = 1.0 / static_cast<double>(std::max<std::size_t>(cells.size(), 1));
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!cells[i].value) {
      continue;
    }
    const double share = high > low ? (*cells[i].value - low) / (high - low) : 0.5;
    svg << "<rect x=\"" << percent(static_cast<double>(i) * width) << "\" width=\""
        << percent(width) << "\" fill=\"" << heat_color(share) << "\"><title>"
        << html_escape(cells[i].title) << "</title></rect>";
  }
  svg << "</svg>";
  return svg.str();
}

std::string heat_legend() {
  constexpr int kSteps = 24;
  std::ostringstream svg;
  svg << "<svg class=\"legend-ramp\" viewBox=\"0 0 96 8\" role=\"img\"><title>From low to "
         "high</title>";
  for (int i = 0; i < kSteps; ++i) {
    svg << "<rect x=\"" << 4 * i << "\" width=\"4.2\" height=\"8\" fill=\""
        << heat_color(i / (kSteps - 1.0)) << "\"/>";
  }
  svg << "</svg>";
  return svg.str();
}

}  // namespace bitnet::cli
