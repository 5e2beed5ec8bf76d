// SPDX-License-Identifier: MIT
// The ternary products at their limits: the longest exact rows, and blocks of a larger product.
// Oracle: sums worked out by hand, and the naive loops of tests/reference.
#include <bitnet/ternary_weight.h>

#include "kernels/each_table.h"
#include "kernels/gemm_problem.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using kernels::GemmBlock;
using kernels::TernaryGemm;
using reference::GuardedBuffer;
using reference::kTile16;
using reference::kTile16p;
using reference::kTile2;

class GemmLimits : public EachTable {};

// Every term has the same sign: the largest digit sums that int32 must hold.
TEST_P(GemmLimits, TheLongestRowsStayExact) {
  constexpr std::size_t kInputs = TernaryWeight::kMaxInFeatures;
  for (const int code : {127, -127, -128}) {
    for (const std::size_t tokens : {1, 8}) {
      const std::vector<std::int8_t> codes(tokens * kInputs, static_cast<std::int8_t>(code));
      std::vector<std::int8_t> trits(kInputs, 1);
      trits.resize(2 * kInputs, -1);
      const auto expected = code * static_cast<std::int32_t>(kInputs);
      for (const auto format : {kTile16, kTile2, kTile16p}) {
        const GemmProblem problem(codes, trits, kInputs, format);
        for (const Gemm& multiply : ungrouped_products(kernels(), format)) {
          TernaryGemm gemm = problem.describe();
          GuardedBuffer<std::int32_t> sums(tokens * 2);
          gemm.sums = sums.data();
          multiply(gemm, problem.first_tokens(tokens));
          for (std::size_t t = 0; t < tokens; ++t) {
            EXPECT_EQ(sums[2 * t], expected) << "code " << code << ", base " << format.base;
            EXPECT_EQ(sums[2 * t + 1], -expected) << "code " << code << ", base " << format.base;
          }
        }
      }
    }
  }
}

// Blocks compute their own part of the output and touch nothing else.
TEST_P(GemmLimits, BlocksWriteTheirPartOnly) {
  constexpr std::size_t kRows = 97;  // 4 panels, the last of one row
  constexpr std::size_t kTokens = 9;
  constexpr std::int32_t kUntouched = 0x55555555;
  const auto codes = reference::random_int8(kTokens * 64, -127, 127, 1);
  const auto trits = reference::random_trits(kRows * 64, 2);
  struct Kernel {
    Gemm run;
    reference::TileFormat format;
    std::size_t group;
  };
  std::vector<Kernel> all = {{kernels().gemm_t2_grouped, kTile2, 32}};
  for (const auto format : {kTile16, kTile2, kTile16p}) {
    for (const Gemm& gemm : ungrouped_products(kernels(), format)) {
      all.push_back({gemm, format, 0});
    }
  }
  for (const Kernel& kernel : all) {
    const GemmProblem problem(codes, trits, 64, kernel.format, kernel.group);
    const std::size_t token_sums = problem.groups * kRows;
    for (const GemmBlock& block :
         {GemmBlock{0, 4, 0, 9}, GemmBlock{1, 2, 0, 9}, GemmBlock{3, 4, 8, 9},
          GemmBlock{0, 1, 3, 8}, GemmBlock{2, 4, 1, 2}, GemmBlock{2, 2, 0, 9},
          GemmBlock{0, 4, 5, 5}}) {
      GuardedBuffer<std::int32_t> sums(kTokens * token_sums);
      std::fill(sums.span().begin(), sums.span().end(), kUntouched);
      TernaryGemm gemm = problem.describe();
      gemm.sums = sums.data();
      kernel.run(gemm, block);
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const std::size_t token = i / token_sums;
        const std::size_t panel = i % kRows / 32;
        const bool inside = token >= block.first_token && token < block.last_token &&
                            panel >= block.first_panel && panel < block.last_panel;
        ASSERT_EQ(sums[i], inside ? problem.expected[i] : kUntouched)
            << "token " << token << ", row " << i % kRows << ", base " << kernel.format.base;
      }
    }
  }
}

// A stride beyond the padded row: several weights share one padded input.
TEST_P(GemmLimits, CodeRowsMayLieFurtherApart) {
  constexpr std::size_t kTokens = 7;
  const auto codes = reference::random_int8(kTokens * 50, -127, 127, 3);
  const GemmProblem problem(codes, reference::random_trits(40 * 50, 4), 50, kTile16);
  constexpr std::size_t kStride = 60 + 13;
  GuardedBuffer<std::int8_t> apart(kTokens * kStride);
  std::fill(apart.span().begin(), apart.span().end(), std::int8_t{111});
  for (std::size_t t = 0; t < kTokens; ++t) {
    std::copy_n(problem.padded_codes.data() + t * 60, 60, apart.data() + t * kStride);
  }
  TernaryGemm gemm = problem.describe();
  gemm.codes = apart.data();
  gemm.code_stride = kStride;
  for (const Gemm& multiply : ungrouped_products(kernels(), kTile16)) {
    std::vector<std::int32_t> sums(kTokens * 40);
    gemm.sums = sums.data();
    multiply(gemm, problem.first_tokens(kTokens));
    EXPECT_EQ(std::vector<std::int64_t>(sums.begin(), sums.end()), problem.expected);
  }
}

BITNET_FOR_EACH_TABLE(GemmLimits);

}  // namespace
}  // namespace bitnet
