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
using reference::kTile16p;
using reference::kTile2;
using reference::TileFormat;

class TableGemm : public EachTable {
 protected:
  /// The sums of a product in every format that the table looks up.
  void expect_sums(const std::vector<std::int8_t>& codes, const std::vector<std::int8_t>& trits,
                   std::size_t inputs) const {
    for (const TileFormat& format : {kTile16, kTile2, kTile16p}) {
      const Gemm gemm = product_by_tables(kernels(), format);
      if (!gemm) continue;
      const GemmProblem problem(codes, trits, inputs, format);
      GuardedBuffer<std::int32_t> sums(problem.tokens * problem.rows);
      kernels::TernaryGemm call = problem.describe();
      call.sums = sums.data();
      gemm(call, problem.first_tokens(problem.tokens));
      for (std::size_t i = 0; i < sums.size(); ++i) {
        ASSERT_EQ(sums[i], problem.expected[i])
            << "token " << i / problem.rows << " of " << problem.tokens << ", row "
            << i % problem.rows << " of " << problem.rows << ", " << problem.steps << " steps of "
            << format.step_inputs << " inputs, permuted " << format.permuted;
      }
    }
  }
};

std::vector<const kernels::KernelTable*> tables_that_look_up() {
  std::vector<const kernels::KernelTable*> tables = all_tables();
  std::erase_if(tables, [](const auto* table) { return table->table_gemm_t16 == nullptr; });
  return tables;
}

/// Rows of nothing but 1, nothing but -1, and any.
std::vector<std::int8_t> extreme_rows(std::size_t inputs) {
  std::vector<std::int8_t> trits(inputs, 1);
  trits.resize(2 * inputs, -1);
  const auto any = reference::random_trits(31 * inputs, 3);
  trits.insert(trits.end(), any.begin(), any.end());
  return trits;
}

TEST_P(TableGemm, BlocksOfTokens) {
  const auto trits = reference::random_trits(33 * 90, 1);
  for (const std::size_t tokens : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97}) {
    const auto codes = reference::random_int8(tokens * 90, -127, 127, 2);
    ASSERT_NO_FATAL_FAILURE(expect_sums(codes, trits, 90));
  }
}

// Codes as large as can be move from int16 to int32 after 12 steps of t16 and 15 of t2, 240 inputs.
TEST_P(TableGemm, LargestCodes) {
  for (const int code : {127, -127, -128}) {
    for (const std::size_t inputs : {220, 239, 240, 241, 260, 479, 480, 481, 1000}) {
      const std::vector<std::int8_t> codes(3 * inputs, static_cast<std::int8_t>(code));
      ASSERT_NO_FATAL_FAILURE(expect_sums(codes, extreme_rows(inputs), inputs));
    }
  }
}

// Sums move when one token's magnitudes exceed 32767, wherever in a step that happens.
TEST_P(TableGemm, SumsAtTheEndOfInt16) {
  constexpr std::size_t kInputs = 700;
  struct {
    std::size_t count;
    int code;
    int that_fits, that_does_not;  // behind so many of that code
  } constexpr kCases[] = {{258, 127, 1, 2}, {255, -128, -127, -128}};
  for (const auto& [count, code, that_fits, that_does_not] : kCases) {
    for (const std::size_t where : {258, 259, 260, 271, 272, 699}) {
      for (const int last : {that_fits, that_does_not}) {
        std::vector<std::int8_t> codes = reference::random_int8(33 * kInputs, -3, 3, 8);
        std::int8_t* const token = &codes[17 * kInputs];
        std::fill_n(token, kInputs, std::int8_t{0});
        std::fill_n(token, count, static_cast<std::int8_t>(code));
        token[where] = static_cast<std::int8_t>(last);
        ASSERT_NO_FATAL_FAILURE(expect_sums(codes, extreme_rows(kInputs), kInputs));
      }
    }
  }
}

TEST_P(TableGemm, MoreRowsThanOnePassServes) {
  const std::size_t rows_of_a_pass = kernels().table_gemm_panels.most * 32;
  for (const std::size_t rows :
       {rows_of_a_pass - 1, rows_of_a_pass, rows_of_a_pass + 1, 2 * rows_of_a_pass + 33}) {
    const auto codes = reference::random_int8(33 * 41, -127, 127, 4);
    const auto trits = reference::random_trits(rows * 41, 5);
    ASSERT_NO_FATAL_FAILURE(expect_sums(codes, trits, 41));
  }
}

// Where part of the panels is multiplied beside the lookups: any share of panels, of groups of
// eight tokens, and of steps, odd ones too.
TEST_P(TableGemm, EveryShareOfPanels) {
  for (const std::size_t panels : {1, 2, 3, 5, 9}) {
    for (const std::size_t tokens : {8, 23, 24, 32}) {
      for (const std::size_t inputs : {20, 61, 260}) {
        const auto codes = reference::random_int8(tokens * inputs, -127, 127, 6);
        const auto trits = reference::random_trits(panels * 32 * inputs, 7);
        ASSERT_NO_FATAL_FAILURE(expect_sums(codes, trits, inputs));
      }
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TableGemm);
INSTANTIATE_TEST_SUITE_P(Kernels, TableGemm, testing::ValuesIn(tables_that_look_up()), table_name);

}  // namespace
}  // namespace bitnet
