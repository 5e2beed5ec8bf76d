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

/// Some products and their outputs by the formula of kernel_table.h.
struct Products {
  Products(const std::vector<std::int8_t>& codes, const std::vector<std::size_t>& sizes,
           TileLayout layout) {
    for (const std::size_t rows : sizes) {
      const auto trits =
          reference::random_trits(rows * kInputs, static_cast<unsigned>(rows + weights.size()));
      const float scale = 0.37F + static_cast<float>(weights.size());
      weights.push_back(
          TernaryWeight::pack(trits, rows, kInputs, {&scale, 1}, Granularity::tensor, 0, layout));
      const auto sums = reference::naive_product(codes, trits, kInputs, kInputs);
      std::vector<float>& y = expected.emplace_back();
      for (std::size_t i = 0; i < sums.size(); ++i) {
        y.push_back(static_cast<float>(sums[i]) * activation_scale(i / rows) * scale);
      }
    }
  }

  static float activation_scale(std::size_t token) {
    return 0.01F + 0.003F * static_cast<float>(token);
  }
  static std::vector<float> activation_scales(std::size_t tokens) {
    std::vector<float> scales;
    for (std::size_t t = 0; t < tokens; ++t) scales.push_back(activation_scale(t));
    return scales;
  }
  ActivationPanel panel(const std::vector<std::int8_t>& codes, std::size_t tokens,
                        const Runtime& runtime) const {
    ActivationPanel x;
    x.assign(std::span(codes).first(tokens * kInputs), tokens, weights[0], runtime);
    return x;
  }

  std::vector<TernaryWeight> weights;
  std::vector<std::vector<float>> expected;
};

// Lookups may serve some of the products, and some of the tokens.
TEST(TernaryMatmul, ProductsOfOneInput) {
  const auto codes = reference::random_int8(kMostTokens * kInputs, -127, 127, 3);
  for (const TileLayout layout : {TileLayout::t16, TileLayout::t2, TileLayout::t16p}) {
    const Products problem(codes, {1100, 40, 130}, layout);
    for (const int threads : {1, 3}) {
      const Runtime runtime({.threads = threads});
      for (const std::size_t tokens : {1, 31, 64, 70, 131}) {
        const auto scales = Products::activation_scales(tokens);
        std::vector<std::vector<float>> y;
        std::vector<TernaryProduct> products;
        for (const TernaryWeight& weight : problem.weights) {
          y.emplace_back(tokens * weight.out_features());
          products.push_back({&weight, y.back()});
        }
        ternary_matmul(products, problem.panel(codes, tokens, runtime), scales, runtime);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_TRUE(std::equal(y[i].begin(), y[i].end(), problem.expected[i].begin()))
              << "product " << i << ", " << tokens << " tokens, " << threads << " threads";
        }
      }
    }
  }
}

TEST(TernaryMatmul, GatesEveryResultOnce) {
  const auto codes = reference::random_int8(kMostTokens * kInputs, -127, 127, 4);
  const Gate subtract = [](const float* gate, const float* up, std::size_t n, float* out) {
    for (std::size_t i = 0; i < n; ++i) out[i] = gate[i] - up[i];
  };
  constexpr std::size_t kRows = 1100;
  for (const TileLayout layout : {TileLayout::t16, TileLayout::t2, TileLayout::t16p}) {
    const Products problem(codes, {kRows, kRows}, layout);
    for (const int threads : {1, 3}) {
      const Runtime runtime({.threads = threads});
      for (const std::size_t tokens : {1, 31, 64, 70, 131}) {
        std::vector<float> y(tokens * kRows);
        std::vector<float> scratch(y.size());
        gated_ternary_matmul({&problem.weights[0], y}, {&problem.weights[1], scratch}, subtract,
                             problem.panel(codes, tokens, runtime),
                             Products::activation_scales(tokens), runtime);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_EQ(y[i], problem.expected[0][i] - problem.expected[1][i])
              << "token " << i / kRows << ", row " << i % kRows << ", " << tokens << " tokens, "
              << threads << " threads";
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitnet
