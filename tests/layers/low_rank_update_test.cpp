// SPDX-License-Identifier: MIT
// Oracle: y + scale * B (A x) in double; the bound is derived beside it.
#include "layers/low_rank_update.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "reference/random_data.h"

namespace bitnet {
namespace {

struct Case {
  std::size_t tokens, rows, columns, rank;
};

struct Inputs {
  explicit Inputs(const Case& size)
      : a(reference::normal_floats(size.rank * size.columns, 1)),
        b(reference::normal_floats(size.rows * size.rank, 2)),
        x(reference::normal_floats(size.tokens * size.columns, 3)),
        y(reference::normal_floats(size.tokens * size.rows, 4)) {}
  std::vector<float> a, b, x, y;
};

constexpr float kScale = 0.75F;

std::vector<float> updated(const Case& size, const Inputs& in, const Runtime& runtime) {
  std::vector<float> y = in.y;
  AlignedVector<float> scratch;
  LowRankUpdate(in.a, in.b, size.rank, kScale).add_to(in.x, y, scratch, runtime);
  return y;
}

class Sizes : public testing::TestWithParam<Case> {};

// A dot product over 16 lanes rounds each of its terms, at most K / 16 + 5 partial sums on the way
// of any term, and the product with the scale: m = K / 16 + 7 factors (1 + u). The outer product
// rounds once more, and r additions follow, which y passes too.
TEST_P(Sizes, EqualDoubleArithmeticWithinTheirRoundings) {
  const Case size = GetParam();
  const Inputs in(size);
  const std::vector<float> found = updated(size, in, Runtime::serial());
  const auto rounded = [](double count) {
    const double u = std::ldexp(1.0, -24);
    return count * u / (1 - count * u);
  };
  const auto r = static_cast<double>(size.rank);
  const double m = std::floor(static_cast<double>(size.columns) / 16) + 7;
  for (std::size_t t = 0; t < size.tokens; ++t) {
    for (std::size_t n = 0; n < size.rows; ++n) {
      double branch = 0;
      double magnitude = 0;
      for (std::size_t j = 0; j < size.rank; ++j) {
        double inner = 0;
        double inner_magnitude = 0;
        for (std::size_t k = 0; k < size.columns; ++k) {
          const double product = double{in.a[j * size.columns + k]} * in.x[t * size.columns + k];
          inner += product;
          inner_magnitude += std::abs(product);
        }
        branch += kScale * inner * in.b[n * size.rank + j];
        magnitude += std::abs(kScale * inner_magnitude * in.b[n * size.rank + j]);
      }
      const double y = in.y[t * size.rows + n];
      EXPECT_NEAR(found[t * size.rows + n], y + branch,
                  rounded(m + 1 + r) * magnitude + rounded(r) * std::abs(y));
    }
  }
}

TEST_P(Sizes, ThreadsInstructionSetsAndOtherTokensChangeNoBit) {
  const Case size = GetParam();
  const Inputs in(size);
  const std::vector<float> expected =
      updated(size, in, Runtime({.threads = 1, .isa = Isa::scalar}));
  for (const Isa isa : supported_isas()) {
    for (const int threads : {1, 3}) {
      EXPECT_EQ(updated(size, in, Runtime({.threads = threads, .isa = isa})), expected)
          << to_string(isa) << ", " << threads << " threads";
    }
  }
  Inputs last = in;
  last.x.erase(last.x.begin(), last.x.end() - static_cast<std::ptrdiff_t>(size.columns));
  last.y.erase(last.y.begin(), last.y.end() - static_cast<std::ptrdiff_t>(size.rows));
  const std::vector<float> alone =
      updated({1, size.rows, size.columns, size.rank}, last, Runtime::serial());
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                         expected.end() - static_cast<std::ptrdiff_t>(size.rows)));
}

INSTANTIATE_TEST_SUITE_P(LowRankUpdate, Sizes,
                         testing::Values(Case{1, 1, 1, 1}, Case{1, 33, 47, 3}, Case{4, 1500, 96, 8},
                                         Case{3, 2048, 257, 16}));

}  // namespace
}  // namespace bitnet
