// SPDX-License-Identifier: MIT
#include "model/value_tally.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace bitnet {
namespace {

constexpr std::uint32_t kMagnitudeBits = 0x7fffffff;
constexpr std::uint32_t kInfinityBits = 0x7f800000;

/// Orders as the floats do; -0 comes before 0. Its own inverse.
std::int32_t order_key(std::int32_t bits) { return bits < 0 ? bits ^ 0x7fffffff : bits; }

std::int64_t bin_of(double value, double inverse_width) {
  return static_cast<std::int64_t>(std::floor(value * inverse_width));
}

/// What integers tell; loops over them turn into vectors, and their order does not matter.
struct BitSummary {
  std::uint64_t zeros = 0;
  std::uint64_t negatives = 0;
  float min = 0;
  float max = 0;
};

BitSummary summarize_bits(std::span<const float> values) {
  std::uint64_t zeros = 0;
  std::uint64_t negatives = 0;
  std::int32_t min = std::numeric_limits<std::int32_t>::max();
  std::int32_t max = std::numeric_limits<std::int32_t>::min();
  constexpr std::size_t kChunk = 4096;  // counts of a chunk fit 32 bits, a lane each
  for (std::size_t first = 0; first < values.size(); first += kChunk) {
    std::int32_t chunk_zeros = 0;
    std::int32_t chunk_signs = 0;
    for (const float value : values.subspan(first, std::min(kChunk, values.size() - first))) {
      const auto bits = std::bit_cast<std::int32_t>(value);
      chunk_zeros += value == 0 ? 1 : 0;
      chunk_signs += value < 0 ? 1 : 0;
      min = std::min(min, order_key(bits));
      max = std::max(max, order_key(bits));
    }
    zeros += static_cast<std::uint64_t>(chunk_zeros);
    negatives += static_cast<std::uint64_t>(chunk_signs);
  }
  const auto number = [](std::int32_t key) {
    return std::bit_cast<float>(order_key(key)) + 0.0F;  // -0 becomes 0
  };
  return {zeros, negatives, number(min), number(max)};
}

/// Every number is -magnitude, 0 or magnitude.
bool has_one_magnitude(std::span<const float> values, float magnitude) {
  constexpr std::size_t kChunk = 256;
  for (std::size_t first = 0; first < values.size(); first += kChunk) {
    std::int32_t others = 0;
    for (const float value : values.subspan(first, std::min(kChunk, values.size() - first))) {
      others |= (value != 0 && std::abs(value) != magnitude) ? 1 : 0;
    }
    if (others != 0) {
      return false;
    }
  }
  return true;
}

struct Sums {
  double sum = 0;
  double sum_abs = 0;
  double sum_squares = 0;
};

Sums sums_of(std::span<const float> values) {
  // Independent lanes let the compiler use vectors without reordering any addition.
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sum{};
  std::array<double, kLanes> sum_abs{};
  std::array<double, kLanes> sum_squares{};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double value = values[i];
    sum[lane] += value;
    sum_abs[lane] += std::abs(value);
    sum_squares[lane] += value * value;
  };
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      add(i + lane, lane);
    }
  }
  for (std::size_t lane = 0; i + lane < values.size(); ++lane) {
    add(i + lane, lane);
  }
  const auto total = [](const auto& lanes) {
    return std::accumulate(lanes.begin(), lanes.end(), 0.0);
  };
  return {total(sum), total(sum_abs), total(sum_squares)};
}

}  // namespace

DyadicHistogram::DyadicHistogram(float min, float max) {
  // A float has 24 significant bits, so bin numbers below 2^24 lose none, and int holds them.
  constexpr int kSignificantBits = 24;
  const float absmax = std::max(std::abs(min), std::abs(max));
  exponent_ = absmax == 0 ? 0 : std::ilogb(absmax) + 1 - kSignificantBits;
  std::int64_t last = 0;
  for (;; ++exponent_) {
    const double inverse_width = std::ldexp(1.0, -exponent_);
    first_ = bin_of(min, inverse_width);
    last = bin_of(max, inverse_width);
    if (last - first_ < static_cast<std::int64_t>(kBins)) {
      break;
    }
  }
}

void DyadicHistogram::count(std::span<const float> values) {
  constexpr std::size_t kChunk = 256;
  constexpr std::size_t kCopies = 4;  // neighbours often share a bin: they must not wait in turn
  std::array<std::array<std::uint64_t, kBins>, kCopies> copies{};
  std::array<std::int32_t, kChunk> bins;
  const double inverse_width = std::ldexp(1.0, -exponent_);
  const auto first = static_cast<std::int32_t>(first_);
  for (std::size_t begin = 0; begin < values.size(); begin += kChunk) {
    const std::size_t n = std::min(kChunk, values.size() - begin);
    for (std::size_t i = 0; i < n; ++i) {
      const double quotient = values[begin + i] * inverse_width;  // exact: a power of two
      const auto truncated = static_cast<std::int32_t>(quotient);
      bins[i] = truncated - (quotient < truncated ? 1 : 0) - first;
    }
    for (std::size_t i = 0; i < n; ++i) {
      ++copies[i % kCopies][static_cast<std::size_t>(bins[i])];
    }
  }
  for (const auto& copy : copies) {
    std::transform(copy.begin(), copy.end(), counts_.begin(), counts_.begin(), std::plus<>());
  }
}

void DyadicHistogram::count(float value, std::uint64_t times) {
  if (times == 0) {
    return;
  }
  const std::int64_t bin = bin_of(value, std::ldexp(1.0, -exponent_)) - first_;
  counts_[static_cast<std::size_t>(bin)] += times;
}

void DyadicHistogram::merge(const DyadicHistogram& other) {
  // Zeros alone have no width of their own, and are in bin 0 whatever it is.
  const int shift = std::clamp(exponent_ - other.exponent_, 0, 62);
  for (std::size_t i = 0; i < kBins; ++i) {
    if (other.counts_[i] != 0) {
      const std::int64_t bin = (other.first_ + static_cast<std::int64_t>(i)) >> shift;
      counts_[static_cast<std::size_t>(bin - first_)] += other.counts_[i];
    }
  }
}

ValueTally::ValueTally(std::span<const float> values) {
  std::uint32_t absmax_bits = 0;
  for (const float value : values) {
    absmax_bits = std::max(absmax_bits, std::bit_cast<std::uint32_t>(value) & kMagnitudeBits);
  }
  if (absmax_bits < kInfinityBits) {
    tally_finite(values);
    return;
  }
  std::vector<float> finite;
  for (const float value : values) {
    if (std::isfinite(value)) {
      finite.push_back(value);
    } else {
      ++(std::isnan(value) ? nans_ : infinities_);
    }
  }
  tally_finite(finite);
}

void ValueTally::tally_finite(std::span<const float> values) {
  if (values.empty()) {
    return;
  }
  const BitSummary bits = summarize_bits(values);
  zeros_ = bits.zeros;
  negatives_ = bits.negatives;
  positives_ = values.size() - zeros_ - negatives_;
  min_ = bits.min;
  max_ = bits.max;
  histogram_ = DyadicHistogram(min_, max_);
  const float magnitude = std::max(std::abs(min_), std::abs(max_));
  if (has_one_magnitude(values, magnitude)) {
    const auto negatives = static_cast<double>(negatives_);
    const auto positives = static_cast<double>(positives_);
    sum_ = magnitude * (positives - negatives);
    sum_abs_ = magnitude * (positives + negatives);
    sum_squares_ = sum_abs_ * magnitude;
    histogram_.count(0, zeros_);
    histogram_.count(-magnitude, negatives_);
    histogram_.count(magnitude, positives_);
    return;
  }
  const Sums sums = sums_of(values);
  sum_ = sums.sum;
  sum_abs_ = sums.sum_abs;
  sum_squares_ = sums.sum_squares;
  histogram_.count(values);
}

void ValueTally::add(const ValueTally& next) {
  nans_ += next.nans_;
  infinities_ += next.infinities_;
  if (next.finite() == 0) {
    return;
  }
  const float min = std::min(min_, next.min_);
  const float max = std::max(max_, next.max_);
  if (min != min_ || max != max_) {
    DyadicHistogram wider(min, max);
    if (finite() != 0) {
      wider.merge(histogram_);
    }
    histogram_ = wider;
    min_ = min;
    max_ = max;
  }
  histogram_.merge(next.histogram_);
  negatives_ += next.negatives_;
  zeros_ += next.zeros_;
  positives_ += next.positives_;
  sum_ += next.sum_;
  sum_abs_ += next.sum_abs_;
  sum_squares_ += next.sum_squares_;
}

ValueStatistics ValueTally::statistics() const {
  ValueStatistics result;
  result.count = finite() + nans_ + infinities_;
  result.nans = nans_;
  result.infinities = infinities_;
  result.negatives = negatives_;
  result.zeros = zeros_;
  result.positives = positives_;
  if (finite() == 0) {
    return result;
  }
  const auto count = static_cast<double>(finite());
  result.min = min_;
  result.max = max_;
  result.mean = sum_ / count;
  result.absmean = sum_abs_ / count;
  // The difference of rounded sums may fall below zero, or miss it.
  const double variance = sum_squares_ / count - result.mean * result.mean;
  result.standard_deviation = min_ == max_ ? 0 : std::sqrt(std::max(variance, 0.0));
  const double width = std::ldexp(1.0, histogram_.exponent());
  const auto& counts = histogram_.counts();
  const auto bins = static_cast<std::size_t>(bin_of(max_, 1 / width) - histogram_.first()) + 1;
  result.histogram.width = width;
  result.histogram.start = static_cast<double>(histogram_.first()) * width;
  result.histogram.counts.assign(counts.begin(),
                                 counts.begin() + static_cast<std::ptrdiff_t>(bins));
  return result;
}

}  // namespace bitnet
