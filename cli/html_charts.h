// SPDX-License-Identifier: MIT
// Drawings as inline SVG: each has a title, most numbers also stand beside them as text.
#pragma once

#include <bitnet/inspect_checkpoint.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::cli {

/// The shares of -1, 0 and +1.
std::string trit_bar(const ValueStatistics& values);

/// Heights are square roots of counts, so that rare values stay visible. Bins wholly beyond
/// kOutlierDeviations standard deviations of the mean have a colour and a mark of their own.
std::string histogram_chart(const ValueStatistics& values);

inline constexpr double kOutlierDeviations = 6;
/// Values in the bins that histogram_chart marks.
std::uint64_t count_outliers(const ValueStatistics& values);

struct BarPart {
  std::string_view part_class;  ///< chooses the colour
  std::string label;            ///< text, not yet escaped
  double size = 0;
};
/// One bar as wide as the page, cut in proportion; labels are clipped where they do not fit.
std::string share_bar(std::string_view title, const std::vector<BarPart>& parts);

struct HeatCell {
  std::optional<double> value;
  std::string title;  ///< not yet escaped
};
/// A cell per layer, dark for `low` and bright for `high`.
std::string heat_strip(std::string_view title, const std::vector<HeatCell>& cells, double low,
                       double high);
/// The colours of heat_strip from low to high.
std::string heat_legend();

}  // namespace bitnet::cli
