// SPDX-License-Identifier: MIT
// One ternary product as the kernels receive it, every operand ending at a guard page. Packed,
// padded and summed by the naive loops of tests/reference, so that nothing of the library stands
// between the numbers and the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/table_scratch.h"
#include "reference/guarded_buffer.h"
#include "reference/naive_matmul.h"
#include "reference/naive_tiles.h"

namespace bitnet {

struct GemmProblem {
  /// codes [T, inputs], trits [N, inputs]; group 0: one sum over all inputs.
  GemmProblem(const std::vector<std::int8_t>& codes, const std::vector<std::int8_t>& trits,
              std::size_t inputs, reference::TileFormat format, std::size_t group = 0)
      : tokens(codes.size() / inputs),
        rows(trits.size() / inputs),
        steps(format.steps(inputs)),
        groups(group == 0 ? 1 : inputs / group),
        group_inputs(group == 0 ? steps * format.step_inputs : group),
        expected(reference::naive_product(codes, trits, inputs, group == 0 ? inputs : group)),
        tiles(reference::naive_tiles(trits, inputs, format)),
        padded_codes(tokens * steps * format.step_inputs),
        code_sums(tokens * groups),
        code_stride(steps * format.step_inputs) {
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::int8_t* row = &codes[t * inputs];
      std::copy(row, row + inputs, padded_codes.data() + t * code_stride);
      for (std::size_t g = 0; g < groups; ++g) {
        const std::int8_t* first = row + g * (inputs / groups);
        code_sums[t * groups + g] = std::accumulate(first, first + inputs / groups, 0);
      }
    }
  }

  kernels::TernaryGemm describe() const {
    kernels::TernaryGemm gemm{};
    gemm.tiles = tiles.data();
    gemm.rows = rows;
    gemm.steps = steps;
    gemm.groups = groups;
    gemm.group_inputs = group_inputs;
    gemm.codes = padded_codes.data();
    gemm.code_stride = code_stride;
    gemm.code_sums = code_sums.data();
    return gemm;
  }

  std::size_t panels() const { return (rows + 31) / 32; }
  /// The first `count` tokens of all panels.
  kernels::GemmBlock first_tokens(std::size_t count) const { return {0, panels(), 0, count}; }

  std::size_t tokens;
  std::size_t rows;
  std::size_t steps;
  std::size_t groups;
  std::size_t group_inputs;
  std::vector<std::int64_t> expected;  // [T, groups, N]
  reference::GuardedBuffer<std::uint8_t> tiles;
  reference::GuardedBuffer<std::int8_t> padded_codes;
  reference::GuardedBuffer<std::int32_t> code_sums;
  std::size_t code_stride;
};

using Gemm = std::function<void(const kernels::TernaryGemm&, const kernels::GemmBlock&)>;

/// A table's product of a format by table lookup, with memory that holds anything at first; empty
/// without a kernel.
inline Gemm product_by_tables(const kernels::KernelTable& table,
                              const reference::TileFormat& format) {
  const auto kernel = format.permuted    ? table.table_gemm_t16p
                      : format.base == 3 ? table.table_gemm_t16
                                         : table.table_gemm_t2;
  if (kernel == nullptr) {
    return {};
  }
  const auto scratch = std::make_shared<kernels::TableScratch>();
  std::memset(scratch.get(), 0x55, sizeof *scratch);
  return [=](const kernels::TernaryGemm& gemm, const kernels::GemmBlock& block) {
    kernel(gemm, block, *scratch);
  };
}

/// All ways in which a kernel table multiplies ungrouped weights of a format: none of t16p on most.
inline std::vector<Gemm> ungrouped_products(const kernels::KernelTable& table,
                                            const reference::TileFormat& format) {
  const bool t16 = format.base == 3;
  const auto multiply = format.permuted ? table.gemm_t16p : t16 ? table.gemm_t16 : table.gemm_t2;
  if (multiply == nullptr) {
    return {};
  }
  std::vector<Gemm> products = {
      multiply, [multiply](kernels::TernaryGemm gemm, const kernels::GemmBlock& block) {
        gemm.unpack_once = 1;
        multiply(gemm, block);
      }};
  if (Gemm gemm = product_by_tables(table, format)) {
    products.push_back(std::move(gemm));
  }
  return products;
}

}  // namespace bitnet
