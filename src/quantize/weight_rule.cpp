// SPDX-License-Identifier: MIT
#include "quantize/weight_rule.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

namespace bitnet {
namespace {

constexpr float kSmallest = std::numeric_limits<float>::denorm_min();

}  // namespace

float weight_scale(double sum_abs, std::size_t count, const BitNetConfig& config) {
  const auto mean = static_cast<float>(sum_abs / static_cast<double>(count));
  const float scale = std::max(mean, config.magnitude_floor);
  return scale == 0.0F ? 1.0F : scale;
}

float ternary_threshold(float scale, const BitNetConfig& config) {
  // w / scale of w = scale / 2 is 0.5. Of the next float, which is larger by 2^-24 to 2^-23 of it,
  // the quotient rounds to more than 0.5, as 2^-24 itself is never met; of the one before, to less.
  constexpr float kHalfIsNormal = 0x1p-120F;
  if (config.scaling == Scaling::divide && scale >= kHalfIsNormal) {
    const float half = 0.5F * scale;
    return config.rounding == Rounding::half_to_even
               ? std::bit_cast<float>(std::bit_cast<std::uint32_t>(half) + 1)
               : half;
  }
  const float inverse_scale = 1.0F / scale;
  const auto becomes_one = [&](float w) {
    const float scaled = config.scaling == Scaling::divide ? w / scale : w * inverse_scale;
    return config.rounding == Rounding::half_to_even ? scaled > 0.5F : scaled >= 0.5F;
  };
  // Half the scale is off by the rounding of the quotient or the reciprocal: a few units at most.
  // The bits of positive floats ascend with their values, so a unit is one step of the bits.
  auto bits = std::bit_cast<std::uint32_t>(std::max(0.5F * scale, kSmallest));
  while (!becomes_one(std::bit_cast<float>(bits))) ++bits;
  while (bits > 1 && becomes_one(std::bit_cast<float>(bits - 1))) --bits;
  return std::bit_cast<float>(bits);
}

}  // namespace bitnet
