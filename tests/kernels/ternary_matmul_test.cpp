// SPDX-License-Identifier: MIT
// The ternary product as layers call it. How many tokens, rows and threads there are decides which
// kernel computes which part; the sums may not depend on it. Oracle: the naive loops of
// tests/reference.
#include "kernels/ternary_matmul.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/kernel_table.h"
#include "reference/naive_matmul.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

constexpr std::size_t kInputs = 250;
constexpr std::size_t kMostTokens = 131;

void expect_naive_sums(const std::vector<std::int8_t>& codes, std::size_t rows) {
  const auto trits = reference::random_trits(rows * kInputs, 2);
  const auto expected = reference::naive_product(codes, trits, kInputs, kInputs);
  const float scale = 1.0F;
  for (const TileLayout layout : {TileLayout::t16, TileLayout::t2, TileLayout::t16p}) {
    const auto weight =
        TernaryWeight::pack(trits, rows, kInputs, {&scale, 1}, Granularity::tensor, 0, layout);
    for (const Isa isa : supported_isas()) {
      if (isa == Isa::scalar && rows > 400) {
        continue;  // takes seconds and is chosen no differently
      }
      for (const int threads : {1, 2, 3}) {
        const Runtime runtime({.threads = threads, .isa = isa});
        for (const std::size_t tokens : {1, 17, 18, 31, 32, 33, 49, 50, 64, 128, 131}) {
          ActivationPanel x;
          x.assign(std::span(codes).first(tokens * kInputs), tokens, weight, runtime);
          std::vector<std::int32_t> sums(tokens * rows);
          ternary_matmul(weight, x, std::span<std::int32_t>(sums), runtime);
          const bool equal = std::equal(sums.begin(), sums.end(), expected.begin());
          ASSERT_TRUE(equal) << runtime.kernels().name << ", " << threads << " threads, " << tokens
                             << " tokens, " << rows << " rows";
        }
      }
    }
  }
}

TEST(TernaryMatmul, SumsDependNeitherOnTokensNorRowsNorThreads) {
  const auto codes = reference::random_int8(kMostTokens * kInputs, -127, 127, 1);
  for (const std::size_t rows : {1, 96, 127, 128, 400, 1281}) {
    ASSERT_NO_FATAL_FAILURE(expect_naive_sums(codes, rows));
  }
}

}  // namespace
}  // namespace bitnet
