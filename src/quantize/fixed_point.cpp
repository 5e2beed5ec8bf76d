// SPDX-License-Identifier: MIT
#include "quantize/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitnet {
namespace {

constexpr std::size_t kCount = kernels::FixedPointInputs::kCount;
constexpr std::size_t kBlock = 4 * kCount;

}  // namespace

void FixedPointMatrix::encode(std::size_t r, const float* x, float magnitude) {
  constexpr float kSmallest = 0x1p-100F;  // so that the scale is a normal number
  constexpr int kBits = kernels::FixedPointInputs::kDigitBits;
  constexpr std::int32_t kDigit = (1 << kBits) - 1;
  constexpr std::int32_t kTwoDigits = (1 << 2 * kBits) - 1;
  const std::size_t rows = scales_.size();
  scales_[r] = std::max(magnitude, kSmallest) / kernels::FixedPointInputs::kLargest;
  const double inverse = 1.0 / static_cast<double>(scales_[r]);
  for (std::size_t first = 0; first < columns_; first += kCount) {
    kernels::FixedPointInputs& inputs = inputs_[(r * columns_ + first) / kCount];
    kernels::FixedPointWords words;
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto number =
          static_cast<std::int32_t>(std::lrint(static_cast<double>(x[first + i]) * inverse));
      inputs.high[i] = static_cast<std::int8_t>(number >> 2 * kBits);
      inputs.middle[i] = static_cast<std::int8_t>(number >> kBits & kDigit);
      inputs.low[i] = static_cast<std::int8_t>(number & kDigit);
      inputs.minus_32_high_sums[i / 4] -= 32 * inputs.high[i];
      words.high[i % 2][i / 2] = inputs.high[i];
      words.lower[i % 2][i / 2] = static_cast<std::int16_t>(number & kTwoDigits);
    }
    if (rows > 1) {
      words_[(first / kBlock * rows + r) * kBlock / kCount + first % kBlock / kCount] = words;
    }
  }
}

void FixedPointMatrix::assign(const float* x, std::size_t rows, std::size_t columns) {
  columns_ = columns;
  inputs_.assign(rows * columns / kCount, {});
  words_.assign(rows > 1 ? rows * columns / kCount : 0, {});
  scales_.resize(rows);
  for (std::size_t r = 0; r < rows; ++r, x += columns) {
    float magnitude = 0;
    bool is_finite = true;
    for (std::size_t k = 0; k < columns; ++k) {
      magnitude = std::max(magnitude, std::abs(x[k]));
      is_finite = is_finite && std::isfinite(x[k]);
    }
    if (is_finite) {
      encode(r, x, magnitude);
    } else {
      scales_[r] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

}  // namespace bitnet
