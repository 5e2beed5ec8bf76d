// SPDX-License-Identifier: MIT
// Properties that hold for every activation row: RapidCheck draws the rows. Oracle: the algebra of
// symmetric rounding, stated at each property.
#include <bitnet/quantize.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace bitnet {
namespace {

/// One row of 1..100 numbers, magnitudes 2^-20..2^20 and zeros.
rc::Gen<std::vector<float>> rows() {
  const auto number = rc::gen::map(
      rc::gen::pair(rc::gen::inRange(-1 << 20, (1 << 20) + 1), rc::gen::inRange(-40, 1)),
      [](const std::pair<int, int>& parts) {
        return std::ldexp(static_cast<float>(parts.first), parts.second);
      });
  return rc::gen::suchThat(rc::gen::container<std::vector<float>>(number),
                           [](const std::vector<float>& row) { return !row.empty(); });
}

/// Either preset with 2..8 bits.
BitNetConfig any_config() {
  const BitNetConfig preset = *rc::gen::element(BitNetConfig{}, BitNetConfig::b158());
  return preset.with_activation_bits(*rc::gen::inRange(2, 9));
}

QuantizedActivations quantize_row(const std::vector<float>& row, const BitNetConfig& config) {
  return quantize_activations({row.data(), Shape{1, row.size()}}, config);
}

// |x - q s| <= s / 2, up to the roundings of quotient (magnitude up to qmax: one part in 2^24 of
// it), scale and product.
RC_GTEST_PROP(ActivationProperties, ErrorIsAtMostHalfAScale, ()) {
  const auto row = *rows();
  const BitNetConfig config = any_config();
  const QuantizedActivations q = quantize_row(row, config);
  const Tensor back = dequantize_activations(q);
  const float slack = 1.0F + 4.0F * static_cast<float>(config.qmax()) * 0x1p-23F;
  for (std::size_t i = 0; i < row.size(); ++i) {
    RC_ASSERT(std::fabs(row[i] - back.data[i]) <= 0.5F * q.scales[0] * slack);
  }
}

// Rounding is odd in both modes and the range symmetric: negating x negates every code.
RC_GTEST_PROP(ActivationProperties, NegationNegatesCodes, ()) {
  const auto row = *rows();
  const BitNetConfig config = any_config();
  std::vector<float> negated;
  for (const float x : row) {
    negated.push_back(-x);
  }
  const QuantizedActivations q = quantize_row(row, config);
  const QuantizedActivations r = quantize_row(negated, config);
  RC_ASSERT(q.scales == r.scales);
  for (std::size_t i = 0; i < row.size(); ++i) {
    RC_ASSERT(q.data[i] == -r.data[i]);
  }
}

// A power of two only moves exponents, while nothing leaves the normal range nor falls below the
// magnitude floor: same codes, scaled scale.
RC_GTEST_PROP(ActivationProperties, PowersOfTwoScaleTheScale, ()) {
  auto row = *rows();
  row.push_back(1.0F);  // well above the floor of 1e-5, and after 2^-10 too
  const BitNetConfig config = any_config();
  const int exponent = *rc::gen::inRange(-10, 60);
  std::vector<float> scaled;
  for (const float x : row) {
    scaled.push_back(std::ldexp(x, exponent));
  }
  const QuantizedActivations q = quantize_row(row, config);
  const QuantizedActivations r = quantize_row(scaled, config);
  RC_ASSERT(q.data == r.data);
  RC_ASSERT(std::ldexp(q.scales[0], exponent) == r.scales[0]);
}

// Numbers on the grid stay where they are: the absmax of the dequantized row is qmax * scale, so
// its own grid is the same up to rounding, and a code, far from any tie, comes back.
RC_GTEST_PROP(ActivationProperties, QuantizingTwiceChangesNoCode, ()) {
  auto row = *rows();
  row.push_back(1.0F);
  const BitNetConfig config = any_config();
  const QuantizedActivations once = quantize_row(row, config);
  const QuantizedActivations twice = quantize_row(dequantize_activations(once).data, config);
  RC_ASSERT(once.data == twice.data);
}

}  // namespace
}  // namespace bitnet
