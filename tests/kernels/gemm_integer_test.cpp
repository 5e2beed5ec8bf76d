// SPDX-License-Identifier: MIT
// Integer sums of the ternary products, exactly equal to the naive int64 loops of
// tests/reference/naive_matmul.h for every size around the tiles' edges.
#include <array>

#include "kernels/each_table.h"
#include "kernels/gemm_problem.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::GuardedBuffer;
using reference::kTile16;
using reference::kTile16p;
using reference::kTile2;
using reference::random_int8;
using reference::random_trits;

constexpr std::size_t kRows[] = {1, 15, 16, 17, 31, 32, 33, 64, 65};
constexpr std::size_t kTokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17};
constexpr std::size_t kMostTokens = 17;

/// Runs the first `tokens` tokens; the output ends at a guard page right behind them.
void expect_sums(const Gemm& gemm, const GemmProblem& problem, std::size_t tokens) {
  GuardedBuffer<std::int32_t> sums(tokens * problem.groups * problem.rows);
  kernels::TernaryGemm call = problem.describe();
  call.sums = sums.data();
  gemm(call, problem.first_tokens(tokens));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(sums[i], problem.expected[i])
        << "token " << i / (problem.groups * problem.rows) << " of " << tokens << ", row "
        << i % problem.rows << " of " << problem.rows;
  }
}

class GemmIntegers : public EachTable {
 protected:
  /// All row and token counts for one K.
  void expect_every_size(const Gemm& gemm, reference::TileFormat format, std::size_t inputs,
                         std::size_t group = 0) {
    const auto codes = random_int8(kMostTokens * inputs, -127, 127, 1);
    for (const std::size_t rows : kRows) {
      const auto trits = random_trits(rows * inputs, static_cast<std::uint32_t>(inputs));
      const GemmProblem problem(codes, trits, inputs, format, group);
      for (const std::size_t tokens : kTokens) {
        SCOPED_TRACE(testing::Message() << "K " << inputs << ", group " << group);
        ASSERT_NO_FATAL_FAILURE(expect_sums(gemm, problem, tokens));
      }
    }
  }
};

TEST_P(GemmIntegers, T16AndT16pForEverySize) {
  for (std::size_t inputs = 1; inputs <= 90; ++inputs) {
    for (const auto format : {kTile16, kTile16p}) {
      for (const Gemm& gemm : ungrouped_products(kernels(), format)) {
        ASSERT_NO_FATAL_FAILURE(expect_every_size(gemm, format, inputs));
      }
    }
  }
}

TEST_P(GemmIntegers, T2ForEverySize) {
  for (std::size_t inputs = 1; inputs <= 90; ++inputs) {
    for (const Gemm& gemm : ungrouped_products(kernels(), kTile2)) {
      ASSERT_NO_FATAL_FAILURE(expect_every_size(gemm, kTile2, inputs));
    }
  }
}

TEST_P(GemmIntegers, GroupsOfWholeSteps) {
  for (const std::size_t group : {16, 32, 64, 128}) {
    for (const std::size_t groups : {1, 2, 3, 5}) {
      ASSERT_NO_FATAL_FAILURE(
          expect_every_size(kernels().gemm_t2_grouped, kTile2, group * groups, group));
    }
  }
}

TEST(GemmIntegersScalar, GroupsWithinAStep) {
  for (const std::size_t group : {1, 2, 4, 8}) {
    const GemmProblem problem(random_int8(3 * 40, -127, 127, 1), random_trits(33 * 40, 2), 40,
                              kTile2, group);
    expect_sums(kernels::kScalarTable.gemm_t2_grouped, problem, 3);
  }
}

using Period = std::array<std::int8_t, 4>;
constexpr Period kExtremeCodes[] = {{127, 127, 127, 127},
                                    {-127, -127, -127, -127},
                                    {-128, -128, -128, -128},
                                    {127, -128, 127, -128},
                                    {-128, -128, 127, 127}};
constexpr Period kExtremeTrits[] = {{1, 1, 1, 1}, {-1, -1, -1, -1}, {0, 0, 0, 0}, {1, -1, 1, -1}};

std::vector<std::int8_t> repeat(const Period& period, std::size_t n) {
  std::vector<std::int8_t> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = period[i % period.size()];
  }
  return values;
}

// Where a 16-bit intermediate sum would saturate or wrap.
TEST_P(GemmIntegers, Extremes) {
  for (const std::size_t inputs : {1, 20, 81, 320, 6912}) {
    for (const Period& code_period : kExtremeCodes) {
      const auto codes = repeat(code_period, 5 * inputs);
      for (const Period& trit_period : kExtremeTrits) {
        const auto trits = repeat(trit_period, 17 * inputs);
        for (const auto format : {kTile16, kTile2, kTile16p}) {
          const GemmProblem problem(codes, trits, inputs, format);
          for (const Gemm& gemm : ungrouped_products(kernels(), format)) {
            expect_sums(gemm, problem, 5);
          }
        }
        if (inputs % 64 == 0) {
          expect_sums(kernels().gemm_t2_grouped, GemmProblem(codes, trits, inputs, kTile2, 64), 5);
        }
      }
    }
  }
}

BITNET_FOR_EACH_TABLE(GemmIntegers);

}  // namespace
}  // namespace bitnet
