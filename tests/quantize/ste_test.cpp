// SPDX-License-Identifier: MIT
// The straight-through value functions. Oracle: values worked out by hand, and the error bounds
// that rounding to a grid implies.
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <bitnet/ste.h>
#include <gtest/gtest.h>

#include <cmath>

#include "reference/random_data.h"

namespace bitnet {
namespace {

TEST(Ste, ForwardRoundsHalfAwayClampsAndScalesBack) {
  const std::vector<float> x = {0.0F, 0.24F, 0.25F, -0.25F, 0.75F, -0.76F, 1.2F, 9.0F, -9.0F};
  EXPECT_EQ(ste_forward(x, 0.5F, -2.0F, 3.0F),
            (std::vector<float>{0.0F, 0.0F, 0.5F, -0.5F, 1.0F, -1.0F, 1.0F, 1.5F, -1.0F}));
}

TEST(Ste, TernaryHasThreeValues) {
  const std::vector<float> x = {-3.0F, -1.0F, -0.9F, 0.9F, 1.0F, 1.1F, 100.0F, 0.0F};
  EXPECT_EQ(ternary_ste(x, 2.0F),
            (std::vector<float>{-2.0F, -2.0F, 0.0F, 0.0F, 2.0F, 2.0F, 2.0F, 0.0F}));
}

TEST(Ste, Int8StopsAt127) {
  const std::vector<float> x = {1000.0F, -1000.0F, 63.6F, 63.4F, -0.5F};
  EXPECT_EQ(int8_ste(x, 1.0F), (std::vector<float>{127.0F, -127.0F, 64.0F, 63.0F, -1.0F}));
}

TEST(Ste, BackwardPassesTheGradientUnchanged) {
  const std::vector<float> gradient = reference::normal_floats(33, 1);
  EXPECT_EQ(ste_backward(gradient), gradient);
}

TEST(Ste, ScalesThatCannotMultiplyAreErrors) {
  const std::vector<float> x = {1.0F};
  for (const float scale : {0.0F, -1.0F, NAN, INFINITY}) {
    EXPECT_THROW(ste_forward(x, scale, -1.0F, 1.0F), QuantizationError) << scale;
    EXPECT_THROW(ternary_ste(x, scale), QuantizationError) << scale;
    EXPECT_THROW(int8_ste(x, scale), QuantizationError) << scale;
  }
}

TEST(Ste, QuantizeSteStaysWithinATenthOfNormalInput) {
  const std::vector<float> x = reference::normal_floats(4 * 128, 2);
  const Tensor y = quantize_ste({x.data(), Shape{4, 128}});
  EXPECT_EQ(y.shape, (Shape{4, 128}));
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_LE(std::fabs(y.data[i] - x[i]), 0.1F);
  }
}

TEST(Ste, QuantizeSteIsQuantizeThenDequantize) {
  const std::vector<float> x = reference::normal_floats(2 * 3 * 40, 3);
  const TensorView view(x.data(), Shape{2, 3, 40});
  for (const BitNetConfig& config :
       {BitNetConfig{}, BitNetConfig::b158().with_activation_bits(4)}) {
    EXPECT_EQ(quantize_ste(view, config).data,
              dequantize_activations(quantize_activations(view, config)).data);
  }
}

}  // namespace
}  // namespace bitnet
