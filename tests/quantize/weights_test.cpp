// SPDX-License-Identifier: MIT
// quantize_weights beyond the golden cases: weights next to the rounding threshold, all layouts of
// scales, threads. Oracle: the formula in plain loops (tests/reference/naive_quantize.h).
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/naive_quantize.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::Form;

struct Scope {
  Granularity granularity;
  std::size_t group_size;

  std::size_t run(std::size_t rows, std::size_t columns) const {
    return granularity == Granularity::tensor ? rows * columns
           : granularity == Granularity::row  ? columns
                                              : group_size;
  }
};
constexpr Scope kScopes[] = {{Granularity::tensor, 64}, {Granularity::row, 64},
                             {Granularity::group, 8},   {Granularity::group, 16},
                             {Granularity::group, 64},  {Granularity::group, 128}};

void expect_formula(const std::vector<float>& w, std::size_t columns, Form form,
                    const Scope& scope) {
  const std::size_t rows = w.size() / columns;
  const BitNetConfig config = (form == Form::divide ? BitNetConfig{} : BitNetConfig::b158())
                                  .with_weight_granularity(scope.granularity)
                                  .with_group_size(scope.group_size);
  const TernaryWeight found = quantize_weights({w.data(), Shape{rows, columns}}, config);
  const auto expected = reference::naive_weights(w, scope.run(rows, columns), form);
  const std::vector<std::int8_t> trits = found.trits();
  EXPECT_EQ(std::vector<int>(trits.begin(), trits.end()), expected.trits);
  EXPECT_EQ(found.scales(), expected.scales);
}

TEST(QuantizeWeights, FollowsTheFormulaForEveryScopeOfScales) {
  for (const std::size_t rows : {1, 5, 31, 32, 33, 70}) {
    const auto w = reference::normal_floats(rows * 128, static_cast<std::uint32_t>(rows), 0.02F);
    for (const Scope& scope : kScopes) {
      expect_formula(w, 128, Form::divide, scope);
      expect_formula(w, 128, Form::multiply, scope);
    }
  }
}

/// Weights within some float steps of half their mean magnitude: 62 of them, and two that bring
/// the mean to about 2 * half.
std::vector<float> weights_around(float half) {
  std::vector<float> w;
  float above = half;
  float below = half;
  for (int i = 0; i < 31; ++i) {
    w.push_back(i % 2 == 0 ? above : -above);
    w.push_back(i % 2 == 0 ? -below : below);
    above = std::nextafter(above, std::numeric_limits<float>::infinity());
    below = std::nextafter(below, 0.0F);
  }
  w.push_back(half * 33);
  w.push_back(half * -33);
  return w;
}

TEST(QuantizeWeights, RoundsAsTheFormulaNextToHalfTheScale) {
  const Scope whole{Granularity::tensor, 64};
  for (const float half : reference::normal_floats(300, 1)) {
    const auto w = weights_around(std::fabs(half) + 1e-3F);
    expect_formula(w, 64, Form::divide, whole);
    expect_formula(w, 64, Form::multiply, whole);
  }
}

TEST(QuantizeWeights, SubnormalAndHugeWeightsFollowTheFormula) {
  for (const float magnitude : {1e-44F, 3e-42F, 1e-39F, 2e-38F, 1e30F, 1.5e38F}) {
    const auto w = reference::normal_floats(4 * 64, 2, magnitude / 2);
    expect_formula(w, 64, Form::divide, {Granularity::row, 64});
    expect_formula(w, 64, Form::multiply, {Granularity::row, 64});
  }
}

TEST(QuantizeWeights, ThreadsDoNotChangeTheResult) {
  const auto w = reference::normal_floats(1000 * 192, 3, 0.02F);
  const Runtime threaded({.threads = 3, .isa = std::nullopt});
  for (const BitNetConfig& config : {BitNetConfig{}, BitNetConfig::b158()}) {
    const TensorView view(w.data(), Shape{1000, 192});
    const TernaryWeight serial = quantize_weights(view, config);
    const TernaryWeight parallel = quantize_weights(view, config, threaded);
    EXPECT_TRUE(std::ranges::equal(serial.tiles(), parallel.tiles()));
    EXPECT_EQ(serial.scales(), parallel.scales());
    EXPECT_EQ(serial.sparsity(), parallel.sparsity());
  }
}

TEST(QuantizeWeights, EmptyAndWrongShapesAreErrors) {
  const std::vector<float> w(256, 1.0F);
  for (const Shape& shape : {Shape{}, Shape{256}, Shape{0, 64}, Shape{4, 0}, Shape{2, 2, 64}}) {
    EXPECT_THROW(quantize_weights({w.data(), shape}), ShapeMismatch) << shape.to_string();
  }
  EXPECT_THROW(quantize_weights({w.data(), Shape{2, 96}}), ShapeMismatch) << "96 is not 64 n";
}

TEST(QuantizeWeights, TheFirstBadWeightInRowMajorOrderIsNamed) {
  std::vector<float> w(600 * 64, 1.0F);
  w[577 * 64 + 1] = NAN;
  w[300 * 64 + 63] = INFINITY;
  const Runtime threaded({.threads = 3, .isa = std::nullopt});
  try {
    quantize_weights({w.data(), Shape{600, 64}}, {}, threaded);
    ADD_FAILURE() << "accepted";
  } catch (const NonFiniteError& error) {
    EXPECT_EQ(error.row, 300U);
    EXPECT_EQ(error.column, 63U);
    EXPECT_EQ(error.value, INFINITY);
  }
}

}  // namespace
}  // namespace bitnet
