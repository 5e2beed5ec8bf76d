// SPDX-License-Identifier: MIT
#include "quantize/weight_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitnet {

float weight_scale(double sum_abs, std::size_t count, const BitNetConfig& config) {
  const auto mean = static_cast<float>(sum_abs / static_cast<double>(count));
  const float scale = std::max(mean, config.magnitude_floor);
  return scale == 0.0F ? 1.0F : scale;
}

float ternary_threshold(float scale, const BitNetConfig& config) {
  const float inverse_scale = 1.0F / scale;
  const auto becomes_one = [&](float w) {
    const float scaled = config.scaling == Scaling::divide ? w / scale : w * inverse_scale;
    return config.rounding == Rounding::half_to_even ? scaled > 0.5F : scaled >= 0.5F;
  };
  // Half the scale is off by the rounding of the quotient or the reciprocal: a few units at most.
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float threshold = std::max(0.5F * scale, std::numeric_limits<float>::denorm_min());
  while (!becomes_one(threshold)) {
    threshold = std::nextafter(threshold, kInfinity);
  }
  for (float below = std::nextafter(threshold, 0.0F); below > 0.0F && becomes_one(below);
       below = std::nextafter(threshold, 0.0F)) {
    threshold = below;
  }
  return threshold;
}

}  // namespace bitnet
