// SPDX-License-Identifier: MIT
// Oracle: std::cos, std::sin and std::pow in double.
#include "layers/rotary_embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bitnet {
namespace {

TEST(RotaryEmbedding, TurnsPairsByTheirAngle) {
  for (const std::size_t head_dim : {8, 48, 100, 128, 256}) {
    for (const double theta : {10000.0, 500000.0, 1000042.0}) {
      const std::size_t half = head_dim / 2;
      const RotaryEmbedding rotary(head_dim, theta, 2.0, 5000);
      for (const std::size_t position : {0, 1, 7, 300, 4999}) {
        std::vector<float> x(head_dim);
        for (std::size_t i = 0; i < half; ++i) {
          x[i] = 1;  // (1, 0): the turned pair is (cos, sin)
        }
        rotary.apply(x.data(), position, kernels::kScalarTable);
        for (std::size_t i = 0; i < half; ++i) {
          const double angle =
              static_cast<double>(position) / 2 *
              std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
          // Half a float ulp, and the angle's own error: below 1e-10 for 5000 products.
          EXPECT_NEAR(x[i], std::cos(angle), 0x1p-24 + 1e-10) << head_dim << " " << position;
          EXPECT_NEAR(x[half + i], std::sin(angle), 0x1p-24 + 1e-10) << head_dim << " " << position;
        }
      }
    }
  }
}

TEST(RotaryEmbedding, KeepsTheProductOfEqualDistances) {
  constexpr std::size_t kHead = 64;
  const RotaryEmbedding rotary(kHead, 10000, 1, 200);
  const auto product = [&](std::size_t query_at, std::size_t key_at) {
    std::vector<float> query(kHead);
    std::vector<float> key(kHead);
    for (std::size_t i = 0; i < kHead; ++i) {
      query[i] = static_cast<float>(std::sin(static_cast<double>(i)));
      key[i] = static_cast<float>(std::cos(3.0 * static_cast<double>(i)));
    }
    rotary.apply(query.data(), query_at, kernels::kScalarTable);
    rotary.apply(key.data(), key_at, kernels::kScalarTable);
    double sum = 0;
    for (std::size_t i = 0; i < kHead; ++i) sum += double{query[i]} * key[i];
    return sum;
  };
  EXPECT_NEAR(product(10, 3), product(190, 183), 64 * 4 * 0x1p-24);
}

}  // namespace
}  // namespace bitnet
