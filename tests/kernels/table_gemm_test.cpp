// SPDX-License-Identifier: MIT
// Where the products by table lookup have edges of their own: runs of steps between two widenings,
// blocks of tokens and panels. Oracle: the naive loops of tests/reference.
#include "kernels/each_table.h"
#include "kernels/gemm_problem.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::GuardedBuffer;
using reference::kTile16;
using reference::kTile2;
using reference::TileFormat;

class TableGemm : public EachTable {
 protected:
  Gemm gemm(const TileFormat& format) const {
    return by_tables(format.base == 3 ? kernels().table_gemm_t16 : kernels().table_gemm_t2);
  }
};

std::vector<const kernels::KernelTable*> tables_that_look_up() {
  std::vector<const kernels::KernelTable*> tables = all_tables();
  std::erase_if(tables, [](const auto* table) { return table->table_gemm_t16 == nullptr; });
  return tables;
}

void expect_sums(const Gemm& gemm, const GemmProblem& problem) {
  GuardedBuffer<std::int32_t> sums(problem.tokens * problem.rows);
  kernels::TernaryGemm call = problem.describe();
  call.sums = sums.data();
  gemm(call, problem.first_tokens(problem.tokens));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(sums[i], problem.expected[i])
        << "token " << i / problem.rows << " of " << problem.tokens << ", row " << i % problem.rows
        << " of " << problem.rows << ", " << problem.steps << " steps";
  }
}

TEST_P(TableGemm, BlocksOfTokens) {
  const auto trits = reference::random_trits(33 * 90, 1);
  for (const std::size_t tokens : {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97}) {
    const auto codes = reference::random_int8(tokens * 90, -127, 127, 2);
    for (const auto format : {kTile16, kTile2}) {
      ASSERT_NO_FATAL_FAILURE(expect_sums(gemm(format), GemmProblem(codes, trits, 90, format)));
    }
  }
}

// Narrow sums reach their largest magnitude: 12 steps of t16 and 15 of t2, 240 inputs.
TEST_P(TableGemm, RunsOfStepsBetweenWidenings) {
  for (const int code : {127, -127, -128}) {
    for (const std::size_t inputs : {220, 239, 240, 241, 260, 479, 480, 481, 1000}) {
      const std::vector<std::int8_t> codes(3 * inputs, static_cast<std::int8_t>(code));
      std::vector<std::int8_t> trits(inputs, 1);
      trits.resize(2 * inputs, -1);
      const auto any = reference::random_trits(31 * inputs, 3);
      trits.insert(trits.end(), any.begin(), any.end());
      for (const auto format : {kTile16, kTile2}) {
        ASSERT_NO_FATAL_FAILURE(
            expect_sums(gemm(format), GemmProblem(codes, trits, inputs, format)));
      }
    }
  }
}

TEST_P(TableGemm, MoreRowsThanOnePassServes) {
  constexpr std::size_t kRowsOfAPass = kernels::kTablePanels * 32;
  for (const std::size_t rows :
       {kRowsOfAPass - 1, kRowsOfAPass, kRowsOfAPass + 1, 2 * kRowsOfAPass + 33}) {
    const auto codes = reference::random_int8(33 * 41, -127, 127, 4);
    const auto trits = reference::random_trits(rows * 41, 5);
    for (const auto format : {kTile16, kTile2}) {
      ASSERT_NO_FATAL_FAILURE(expect_sums(gemm(format), GemmProblem(codes, trits, 41, format)));
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TableGemm);
INSTANTIATE_TEST_SUITE_P(Kernels, TableGemm, testing::ValuesIn(tables_that_look_up()), table_name);

}  // namespace
}  // namespace bitnet
