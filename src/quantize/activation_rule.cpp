// SPDX-License-Identifier: MIT
#include "quantize/activation_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitnet {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();

/// The largest code must not overflow on its way back.
float without_overflow(float scale, float qmax) {
  return std::isinf(scale * qmax) ? std::nextafter(scale, 0.0F) : scale;
}

}  // namespace

ActivationRule activation_rule(float absmax, const BitNetConfig& config) {
  const auto qmax = static_cast<float>(config.qmax());
  const float magnitude = std::max(absmax, config.magnitude_floor);
  const auto rule = [&](float step, float scale) {
    return ActivationRule{{step, config.scaling, config.rounding, config.qmax()}, scale};
  };
  if (magnitude == 0.0F) {
    return rule(1.0F, 1.0F);
  }
  if (config.scaling == Scaling::divide) {
    // A quotient that underflows becomes the smallest float, whose multiples the inputs then are.
    const float scale = without_overflow(std::max(magnitude / qmax, kSmallest), qmax);
    return rule(scale, scale);
  }
  const float inverse_scale = std::min(qmax / magnitude, kLargest);
  return rule(inverse_scale, without_overflow(1.0F / inverse_scale, qmax));
}

}  // namespace bitnet
