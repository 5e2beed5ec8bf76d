// SPDX-License-Identifier: MIT
// rms_norm against double arithmetic, and the fused pass against the two single ones.
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::normal_floats;

/// x / sqrt(mean(x²) + eps) * gain of one row, in double.
std::vector<double> naive_norm(const float* x, std::size_t columns, const std::vector<float>& gain,
                               double eps) {
  double sum = 0;
  for (std::size_t k = 0; k < columns; ++k) {
    sum += static_cast<double>(x[k]) * x[k];
  }
  const double root = std::sqrt(sum / static_cast<double>(columns) + eps);
  std::vector<double> result;
  for (std::size_t k = 0; k < columns; ++k) {
    result.push_back(x[k] / root * (gain.empty() ? 1.0 : gain[k]));
  }
  return result;
}

/// Relative error of one output, in units of u = 2^-24. Σx² has positive terms only: one rounding
/// per square, columns / 16 + 1 additions per lane and 4 across lanes; the division, the sum with
/// eps and eps itself add 3; the root halves all that; root, reciprocal and two products add 4.
double error_bound(std::size_t columns) {
  const double additions = static_cast<double>(columns) / 16 + 1 + 4;
  return ((additions + 1 + 3) / 2 + 4) * 0x1p-24;
}

void expect_norm(const std::vector<float>& x, std::size_t columns, const std::vector<float>& gain,
                 float eps) {
  const std::size_t rows = x.size() / columns;
  const Tensor y = rms_norm(TensorView(x.data(), Shape{rows, columns}), gain, eps);
  EXPECT_EQ(y.shape, (Shape{rows, columns}));
  for (std::size_t row = 0; row < rows; ++row) {
    const auto expected = naive_norm(&x[row * columns], columns, gain, eps);
    for (std::size_t k = 0; k < columns; ++k) {
      EXPECT_NEAR(y.data[row * columns + k], expected[k],
                  std::fabs(expected[k]) * error_bound(columns))
          << "row " << row << ", column " << k << " of " << columns;
    }
  }
}

TEST(RmsNorm, EqualsDoubleArithmeticWithinItsRoundings) {
  for (const std::size_t columns : {1, 2, 15, 16, 17, 31, 33, 100, 640, 2561}) {
    const auto seed = static_cast<std::uint32_t>(columns);
    expect_norm(normal_floats(3 * columns, seed), columns, {}, 1e-5F);
    expect_norm(normal_floats(3 * columns, seed + 1, 100.0F), columns,
                normal_floats(columns, seed + 2), 1e-6F);
    expect_norm(normal_floats(3 * columns, seed + 3, 1e-4F), columns, {}, 1e-5F);
  }
}

TEST(RmsNorm, ZerosStayZeros) {
  const std::vector<float> x(64, 0.0F);
  EXPECT_EQ(rms_norm(TensorView(x.data(), Shape{2, 32}), {}, 1e-5F).data,
            std::vector<float>(64, 0.0F));
}

TEST(RmsNorm, TinyGainsAreNotFlushed) {
  const std::vector<float> x(16, 3.0F);
  const std::vector<float> gain(16, 1e-32F);
  for (const float y : rms_norm(TensorView(x.data(), Shape{1, 16}), gain, 1e-5F).data) {
    EXPECT_NEAR(y, 1e-32, 1e-37);
  }
}

TEST(RmsNorm, BadShapesAndValuesAreErrors) {
  std::vector<float> x(32, 1.0F);
  const std::vector<float> gain(8, 1.0F);
  EXPECT_THROW(rms_norm(TensorView(x.data(), Shape{32}), {}, 1e-5F), ShapeMismatch);
  EXPECT_THROW(rms_norm(TensorView(x.data(), Shape{2, 2, 2, 4}), {}, 1e-5F), ShapeMismatch);
  EXPECT_THROW(rms_norm(TensorView(x.data(), Shape{2, 16}), gain, 1e-5F), ShapeMismatch);
  EXPECT_THROW(rms_norm(TensorView(x.data(), Shape{2, 0}), {}, 1e-5F), ShapeMismatch);
  x[20] = NAN;
  x[30] = INFINITY;
  try {
    rms_norm(TensorView(x.data(), Shape{2, 16}), {}, 1e-5F);
    ADD_FAILURE() << "accepted";
  } catch (const NonFiniteError& error) {
    EXPECT_EQ(error.row, 1U);
    EXPECT_EQ(error.column, 4U);
    EXPECT_TRUE(std::isnan(error.value));
  }
}

TEST(RmsNorm, SquaresBeyondFloat32AreAnErrorNotZeros) {
  const std::vector<float> x(16, std::numeric_limits<float>::max());
  EXPECT_THROW(rms_norm(TensorView(x.data(), Shape{1, 16}), {}, 1e-5F), QuantizationError);
}

TEST(RmsNormQuantize, EqualsTheTwoSinglePassesBitForBit) {
  const Runtime threaded({.threads = 2, .isa = std::nullopt});
  for (const std::size_t columns : {1, 16, 37, 64, 333}) {
    const auto seed = static_cast<std::uint32_t>(columns);
    const std::vector<float> x = normal_floats(2 * 300 * columns, seed);
    const TensorView view(x.data(), Shape{2, 300, columns});
    for (const std::vector<float>& gain :
         {std::vector<float>{}, normal_floats(columns, seed + 1)}) {
      for (const BitNetConfig& preset : {BitNetConfig{}, BitNetConfig::b158()}) {
        for (const bool per_token : {true, false}) {
          const BitNetConfig config = preset.with_per_token_activation(per_token).with_eps(1e-6F);
          const auto expected =
              quantize_activations(rms_norm(view, gain, config.eps).view(), config);
          for (const Runtime* runtime : {&Runtime::serial(), &threaded}) {
            QuantizedActivations fused;
            rms_norm_quantize(view, gain, config, fused, *runtime);
            EXPECT_EQ(fused.data, expected.data);
            EXPECT_EQ(fused.scales, expected.scales);
            EXPECT_EQ(fused.shape, expected.shape);
            EXPECT_EQ(fused.per_token, expected.per_token);
          }
        }
      }
    }
  }
}

TEST(RmsNormQuantize, RefusesWhatTheSinglePassesRefuse) {
  std::vector<float> x(3 * 20, 1.0F);
  QuantizedActivations out;
  EXPECT_THROW(rms_norm_quantize(TensorView(x.data(), Shape{60}), {}, {}, out), ShapeMismatch);
  EXPECT_THROW(rms_norm_quantize(TensorView(x.data(), Shape{3, 20}), {},
                                 BitNetConfig{}.with_activation_bits(9), out),
               InvalidConfig);
  x[45] = -INFINITY;
  try {
    rms_norm_quantize(TensorView(x.data(), Shape{3, 20}), {}, {}, out);
    ADD_FAILURE() << "accepted";
  } catch (const NonFiniteError& error) {
    EXPECT_EQ(error.row, 2U);
    EXPECT_EQ(error.column, 5U);
  }
}

}  // namespace
}  // namespace bitnet
