// SPDX-License-Identifier: MIT
// Oracle: the numbers that the digits stand for, put together in integers.
#include "quantize/fixed_point.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace bitnet {
namespace {

using kernels::FixedPointInputs;
using kernels::FixedPointVectors;
using kernels::FixedPointWords;

constexpr std::size_t kColumns = 512;

/// What row r says of x's number k, in units of its scale.
int number_of(const FixedPointVectors& vectors, std::size_t r, std::size_t k) {
  const FixedPointInputs& inputs = vectors.inputs[(r * kColumns + k) / 64];
  const std::size_t i = k % 64;
  EXPECT_GE(inputs.middle[i], 0);
  EXPECT_GE(inputs.low[i], 0);
  return inputs.high[i] * 16384 + inputs.middle[i] * 128 + inputs.low[i];
}

std::vector<float> normal_floats(std::size_t n) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& number : x) number = normal(random);
  return x;
}

TEST(FixedPointMatrix, EachNumberIsWithinHalfAStep) {
  constexpr std::size_t kRows = 3;
  std::vector<float> x = normal_floats(kRows * kColumns);
  x[kColumns + 7] = -1e30F;  // alone in its row
  FixedPointMatrix matrix;
  matrix.assign(x.data(), kRows, kColumns);
  const FixedPointVectors vectors = matrix.vectors();
  for (std::size_t r = 0; r < kRows; ++r) {
    const double scale = vectors.scales[r];
    for (std::size_t k = 0; k < kColumns; ++k) {
      const int number = number_of(vectors, r, k);
      // The quotient was rounded, by less than 2^-30 of a step, before it was rounded to an
      // integer.
      ASSERT_LE(std::abs(x[r * kColumns + k] / scale - number), 0.5 + 1e-9) << r << ", " << k;
      ASSERT_LE(std::abs(number), 127 << 14);
    }
  }
  EXPECT_EQ(number_of(vectors, 1, 7), -(127 << 14));
}

TEST(FixedPointMatrix, OtherFormsHoldTheSameNumbers) {
  constexpr std::size_t kRows = 2;
  const std::vector<float> x = normal_floats(kRows * kColumns);
  FixedPointMatrix matrix;
  matrix.assign(x.data(), kRows, kColumns);
  const FixedPointVectors vectors = matrix.vectors();
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t k = 0; k < kColumns; ++k) {
      const std::size_t i = k % 64;
      const FixedPointWords& words = vectors.words[(k / 256 * kRows + r) * 4 + k % 256 / 64];
      ASSERT_EQ(words.high[i % 2][i / 2] * 16384 + words.lower[i % 2][i / 2],
                number_of(vectors, r, k));
      if (i % 4 != 0) continue;
      const FixedPointInputs& inputs = vectors.inputs[(r * kColumns + k) / 64];
      ASSERT_EQ(inputs.minus_32_high_sums[i / 4], -32 * (inputs.high[i] + inputs.high[i + 1] +
                                                         inputs.high[i + 2] + inputs.high[i + 3]));
    }
    EXPECT_EQ(matrix.row(r).inputs, vectors.inputs + r * kColumns / 64);
    EXPECT_EQ(matrix.row(r).scales, vectors.scales + r);
    EXPECT_EQ(matrix.row(r).count, 1U);
  }
}

TEST(FixedPointMatrix, Extremes) {
  for (const float only : {0.0F, 1e-45F, 0x1p-120F, std::numeric_limits<float>::max()}) {
    std::vector<float> x(kColumns, 0.0F);
    x[300] = only;
    FixedPointMatrix matrix;
    matrix.assign(x.data(), 1, kColumns);
    const float scale = matrix.vectors().scales[0];
    EXPECT_TRUE(std::isnormal(scale)) << only;
    EXPECT_NEAR(number_of(matrix.vectors(), 0, 300) * static_cast<double>(scale), only, scale / 2);
    EXPECT_EQ(number_of(matrix.vectors(), 0, 299), 0);
  }
}

TEST(FixedPointMatrix, ARowWithoutNumbersHasNone) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> x = normal_floats(2 * kColumns);
    x[kColumns + 5] = bad;
    FixedPointMatrix matrix;
    matrix.assign(x.data(), 2, kColumns);
    EXPECT_TRUE(std::isfinite(matrix.vectors().scales[0]));
    EXPECT_TRUE(std::isnan(matrix.vectors().scales[1]));
  }
}

}  // namespace
}  // namespace bitnet
