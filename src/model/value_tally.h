// SPDX-License-Identifier: MIT
// Statistics of a tensor's values in one pass: the values may come in any pieces.
#pragma once

#include <bitnet/inspect_checkpoint.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace bitnet {

/// Counts in bins [i w, (i + 1) w), i in [first, first + kBins), w = 2^exponent.
///
/// Which bin a value of the finest width belongs to decides its bin of any greater width, as
/// floor(x / 2w) = floor(floor(x / w) / 2). So a histogram can widen its bins while values arrive
/// and ends as if it had known their range from the start.
class DyadicHistogram {
 public:
  static constexpr std::size_t kBins = ValueStatistics::kMaxBins;

  DyadicHistogram() = default;
  /// The finest bins that hold finite numbers from min to max, all empty.
  DyadicHistogram(float min, float max);

  /// Finite numbers within its range; a value that occurs 0 times may be any.
  void count(std::span<const float> values);
  void count(float value, std::uint64_t times);
  /// `other` was made for a part of this range.
  void merge(const DyadicHistogram& other);

  int exponent() const { return exponent_; }
  std::int64_t first() const { return first_; }
  const std::array<std::uint64_t, kBins>& counts() const { return counts_; }

 private:
  int exponent_ = 0;
  std::int64_t first_ = 0;
  std::array<std::uint64_t, kBins> counts_{};
};

/// Tallies of the pieces of a tensor add up to that of the whole; the sums depend on where the
/// pieces begin and on the order of additions, nothing else does.
class ValueTally {
 public:
  ValueTally() = default;
  explicit ValueTally(std::span<const float> values);

  void add(const ValueTally& next);
  ValueStatistics statistics() const;

 private:
  void tally_finite(std::span<const float> values);
  std::uint64_t finite() const { return negatives_ + zeros_ + positives_; }

  std::uint64_t nans_ = 0;
  std::uint64_t infinities_ = 0;
  std::uint64_t negatives_ = 0;  // finite, as are all below
  std::uint64_t zeros_ = 0;
  std::uint64_t positives_ = 0;
  float min_ = std::numeric_limits<float>::infinity();
  float max_ = -std::numeric_limits<float>::infinity();
  double sum_ = 0;
  double sum_abs_ = 0;
  double sum_squares_ = 0;
  DyadicHistogram histogram_;
};

}  // namespace bitnet
