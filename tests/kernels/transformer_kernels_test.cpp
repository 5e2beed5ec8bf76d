// SPDX-License-Identifier: MIT
// How far the kernels that approximate are from mathematics. Oracle: <cmath> in double. That all
// tables agree bit for bit is the self-test's business (isa_selection_test.cpp, `bitnet doctor`).
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernel_table.h"

namespace bitnet::kernels {
namespace {

const KernelTable& table() { return kScalarTable; }

TEST(Exponential, IsWithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  for (float x = -86.0F; x < 86.0F; x += 0.000917F) {
    float found = 0;
    table().exponentials(&x, 1, 0, &found);
    const double expected = std::exp(double{x});
    const double ulp = std::ldexp(1.0, std::ilogb(expected) - 23);
    worst = std::max(worst, std::abs(found - expected) / ulp);
  }
  EXPECT_LE(worst, 2.0);
}

TEST(Exponential, BeyondItsRangeStaysAtTheEdge) {
  const float inputs[] = {-std::numeric_limits<float>::infinity(), -1000, -86, 86, 1000};
  float found[5];
  table().exponentials(inputs, 5, 0, found);
  EXPECT_EQ(found[0], found[2]);
  EXPECT_EQ(found[1], found[2]);
  EXPECT_EQ(found[4], found[3]);
  EXPECT_LT(found[2], 1e-37F);
  EXPECT_GT(found[2], 0.0F);
}

TEST(Exponential, OfZeroIsOne) {
  const float zero = 0;
  float found = 0;
  table().exponentials(&zero, 1, 0, &found);
  EXPECT_EQ(found, 1.0F);
}

// Two terms of lane 0: c * 1, then a * b fused onto it. (1 + u) (1 - u) / 2 = (1 - u²) / 2 is next
// to a tie of c's last bit, but so near that a double does not tell; -a * b is next to the other
// one. Oracle: std::fma.
TEST(Dots, RoundProductAndSumTogether) {
  std::mt19937 random(7);
  for (const KernelTable* const* table = runnable_tables(); *table != nullptr; ++table) {
    for (int i = 0; i < 20000; ++i) {
      const auto c = static_cast<float>(1U << 23U | random() >> 9U);
      const float u = static_cast<float>(random() % 256) * 0x1p-23F;
      const float a = random() % 2 == 0 ? 1 + u : -1 - u;
      const float b = i % 8 == 0 ? c : (1 - u) / 2;
      float row[17] = {c};
      float vector[17] = {1.0F};
      row[16] = a;
      vector[16] = b;
      float found = 0;
      (*table)->dots(row, 1, vector, 1, 17, &found, 1);
      ASSERT_EQ(found, std::fma(a, b, c))
          << (*table)->name << ": " << a << " * " << b << " + " << c;
    }
  }
}

/// Largest error relative to |f(x)| + 1e-6.
template <class Expected>
double worst_gate_error(void (*gate)(const float*, const float*, std::size_t, float*),
                        Expected expected) {
  double worst = 0;
  const float up = 1.5F;
  for (float x = -30.0F; x < 30.0F; x += 0.00317F) {
    float found = 0;
    gate(&x, &up, 1, &found);
    const double wanted = expected(double{x}) * 1.5;
    worst = std::max(worst, std::abs(found - wanted) / (std::abs(wanted) + 1e-6));
  }
  return worst;
}

// exp is within 2 ulp = 2^-22 of itself, and three more roundings follow: below 2^-20.
TEST(Gates, AreTheActivationFunctions) {
  EXPECT_LE(worst_gate_error(table().gate_relu2, [](double x) { return x > 0 ? x * x : 0.0; }),
            0x1p-22);
  EXPECT_LE(worst_gate_error(table().gate_silu, [](double x) { return x / (1 + std::exp(-x)); }),
            0x1p-20);
  // The argument of exp is a rounded cubic of up to 86: its error of 86 * 2^-23 goes into the
  // result.
  EXPECT_LE(worst_gate_error(table().gate_gelu,
                             [](double x) {
                               const double y = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
                               return x / (1 + std::exp(-2 * y));
                             }),
            86 * 0x1p-22);
}

/// Softmax attention over 100 positions in two pages, in double.
TEST(Attention, IsSoftmaxOverAllPages) {
  constexpr std::size_t kHead = 48;
  constexpr std::size_t kCount = 100;
  constexpr std::size_t kPositions = AttentionPage::kPositions;
  const auto number = [](std::size_t i) {
    return static_cast<float>(std::sin(static_cast<double>(i) * 12.9898) * 2);
  };
  std::vector<float> query(kHead);
  std::vector<float> keys(2 * kPositions * kHead);
  std::vector<float> values(2 * kPositions * kHead);
  for (std::size_t d = 0; d < kHead; ++d) query[d] = number(d) / std::sqrt(float{kHead});
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = number(i + 1000);
    values[i] = number(i + 90000);
  }
  const auto key = [&](std::size_t j, std::size_t d) {  // pages of [D, 64]
    return keys[j / kPositions * kPositions * kHead + d * kPositions + j % kPositions];
  };
  std::vector<double> weights(kCount);
  double total = 0;
  for (std::size_t j = 0; j < kCount; ++j) {
    double score = 0;
    for (std::size_t d = 0; d < kHead; ++d) score += double{query[d]} * key(j, d);
    weights[j] = std::exp(score);
    total += weights[j];
  }
  std::vector<float> out(kHead);
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0;
  for (std::size_t page = 0; page < 2; ++page) {
    const std::size_t at = page * kPositions * kHead;
    const PagePositions seen{0, std::min(kCount - page * kPositions, kPositions)};
    table().attend_f32({.queries = query.data(),
                        .rows = 1,
                        .head_dim = kHead,
                        .stride = kHead,
                        .keys = keys.data() + at,
                        .values = values.data() + at,
                        .key_scales = nullptr,
                        .value_scales = nullptr,
                        .seen = &seen,
                        .prefetch = 0,
                        .maxima = &maximum,
                        .totals = &sum,
                        .out = out.data()});
  }
  for (std::size_t d = 0; d < kHead; ++d) {
    double expected = 0;
    for (std::size_t j = 0; j < kCount; ++j) expected += weights[j] / total * values[j * kHead + d];
    // Scores of magnitude below 4 are off by less than 48 * 2^-24 * 4, weights by as much of
    // themselves; values are below 2.
    EXPECT_NEAR(out[d] / sum, expected, 2 * (48 * 4 + 100) * 0x1p-24);
  }
}

}  // namespace
}  // namespace bitnet::kernels
