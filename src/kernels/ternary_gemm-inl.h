// SPDX-License-Identifier: MIT
// The ternary matrix product: Σ a w = Σ a (w + 1) - Σ a, so the packed digits w + 1 multiply the
// codes as they are and one sum per token corrects the result.
//
// An ISA file defines before it includes this header:
//   kMaxTokens                     tokens that one pass over a panel serves (registers bound it)
//   accumulate<layout, M>(panel, first_input, inputs, codes, stride, prefetch, acc)
//       acc[m][r] = Σ digit(r, k) * codes[m * stride + k] over the 32 rows of a panel and the
//       inputs from first_input on; `inputs` is padded to whole steps except with t2 groups
//       below 16.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/prefetch-inl.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

using PanelSums = std::int32_t[kPanelRows];

/// Rows of the panel that exist.
inline std::size_t valid_rows(const TernaryGemm& gemm, std::size_t panel) {
  const std::size_t first = panel * kPanelRows;
  return gemm.rows - first < kPanelRows ? gemm.rows - first : kPanelRows;
}

/// Σ a (w + 1) - Σ a
inline void subtract_code_sum(std::int32_t code_sum, PanelSums& sums) {
  for (std::int32_t& sum : sums) {
    sum -= code_sum;
  }
}

inline void store_sums(const PanelSums& panel_sums, std::size_t rows, std::int32_t* sums) {
  for (std::size_t r = 0; r < rows; ++r) {
    sums[r] = panel_sums[r];
  }
}

// All rows are computed, so that the loops are of whole registers, and those that exist stored.
inline void store_outputs(const PanelSums& sums, const TernaryGemm& gemm, std::size_t token,
                          std::size_t panel) {
  const std::size_t first = panel * kPanelRows;
  const std::size_t rows = valid_rows(gemm, panel);
  const float activation_scale = gemm.activation_scales[token * gemm.activation_scale_step];
  float y[kPanelRows];
  for (std::size_t r = 0; r < kPanelRows; ++r) {
    y[r] = static_cast<float>(sums[r]) * activation_scale;
  }
  if (gemm.weight_scale_step == 0) {
    const float weight_scale = gemm.weight_scales[0];
    for (float& value : y) {
      value *= weight_scale;
    }
  } else {
    for (std::size_t r = 0; r < kPanelRows; ++r) {
      y[r] *= gemm.weight_scales[first + r];
    }
  }
  for (std::size_t r = 0; gemm.bias != nullptr && r < rows; ++r) {
    y[r] += gemm.bias[first + r];
  }
  float* const out = gemm.out + token * gemm.rows + first;
  if (rows == kPanelRows) {
    __builtin_memcpy(out, y, sizeof y);
  } else {
    __builtin_memcpy(out, y, rows * sizeof *y);
  }
}

/// The result of one token and panel: the sums, or what they become with scales and bias.
inline void store_panel_sums(const PanelSums& sums, const TernaryGemm& gemm, std::size_t token,
                             std::size_t panel) {
  if (gemm.sums != nullptr) {
    store_sums(sums, valid_rows(gemm, panel), gemm.sums + token * gemm.rows + panel * kPanelRows);
  } else {
    store_outputs(sums, gemm, token, panel);
  }
}

/// A token's results lie in a page of their own, and a store that waits for its line holds up the
/// next: the lines are asked for while the sums are
/// still being made.
[[gnu::always_inline]] inline void prefetch_results(const TernaryGemm& gemm, std::size_t panel,
                                                    std::size_t token) {
  const void* const results = gemm.sums != nullptr ? static_cast<void*>(gemm.sums) : gemm.out;
  constexpr std::size_t kBytes = sizeof(float);  // of a sum, too
  prefetch_lines<kPanelRows * kBytes, kFirstLevel, kToWrite>(
      reinterpret_cast<std::uintptr_t>(results) +
      (token * gemm.rows + panel * kPanelRows) * kBytes);
}

/// One panel times M tokens.
template <TileLayout layout, std::size_t M>
void multiply_panel(const TernaryGemm& gemm, std::size_t panel, std::size_t token) {
  PanelSums digit_sums[M];
  accumulate<layout, M>(gemm.tiles + panel * gemm.steps * kPanelStepBytes, 0,
                        gemm.steps * TileGeometry<layout>::kStepInputs,
                        gemm.codes + token * gemm.code_stride, gemm.code_stride, gemm.prefetch,
                        digit_sums);
  for (std::size_t m = 0; m < M; ++m) {
    subtract_code_sum(gemm.code_sums[token + m], digit_sums[m]);
    store_panel_sums(digit_sums[m], gemm, token + m, panel);
  }
}

/// One panel of group-scaled weights times M tokens.
template <TileLayout layout, std::size_t M>
void multiply_panel_grouped(const TernaryGemm& gemm, std::size_t panel, std::size_t token) {
  const std::size_t rows = valid_rows(gemm, panel);
  float totals[M][kPanelRows] = {};
  for (std::size_t group = 0; group < gemm.groups; ++group) {
    PanelSums digit_sums[M];
    accumulate<layout, M>(gemm.tiles + panel * gemm.steps * kPanelStepBytes,
                          group * gemm.group_inputs, gemm.group_inputs,
                          gemm.codes + token * gemm.code_stride, gemm.code_stride, gemm.prefetch,
                          digit_sums);
    const float* scales = gemm.weight_scales + (panel * gemm.groups + group) * kPanelRows;
    for (std::size_t m = 0; m < M; ++m) {
      const std::size_t code_group = (token + m) * gemm.groups + group;
      subtract_code_sum(gemm.code_sums[code_group], digit_sums[m]);
      if (gemm.sums != nullptr) {
        store_sums(digit_sums[m], rows, gemm.sums + code_group * gemm.rows + panel * kPanelRows);
        continue;
      }
      for (std::size_t r = 0; r < kPanelRows; ++r) {
        totals[m][r] += static_cast<float>(digit_sums[m][r]) * scales[r];
      }
    }
  }
  for (std::size_t m = 0; gemm.sums == nullptr && m < M; ++m) {
    const float activation_scale = gemm.activation_scales[(token + m) * gemm.activation_scale_step];
    const std::size_t first = panel * kPanelRows;
    for (std::size_t r = 0; r < rows; ++r) {
      const float y = totals[m][r] * activation_scale;
      gemm.out[(token + m) * gemm.rows + first + r] =
          gemm.bias == nullptr ? y : y + gemm.bias[first + r];
    }
  }
}

template <bool grouped, TileLayout layout, std::size_t M>
inline void multiply_tokens(const TernaryGemm& gemm, std::size_t panel, std::size_t token) {
  if constexpr (grouped) {
    multiply_panel_grouped<layout, M>(gemm, panel, token);
  } else {
    multiply_panel<layout, M>(gemm, panel, token);
  }
}

/// The last `count` tokens of a block, fewer than kMaxTokens.
template <bool grouped, TileLayout layout, std::size_t M>
void multiply_remainder(const TernaryGemm& gemm, std::size_t panel, std::size_t token,
                        std::size_t count) {
  if constexpr (M != 0) {
    if (count == M) {
      multiply_tokens<grouped, layout, M>(gemm, panel, token);
    } else {
      multiply_remainder<grouped, layout, M - 1>(gemm, panel, token, count);
    }
  }
}

// A panel (K = 2560: 16 KB) stays in the first-level cache while the block's tokens pass by.
template <bool grouped, TileLayout layout>
void multiply_block(const TernaryGemm& gemm, const GemmBlock& block) {
  for (std::size_t panel = block.first_panel; panel < block.last_panel; ++panel) {
    std::size_t token = block.first_token;
    for (; token + kMaxTokens <= block.last_token; token += kMaxTokens) {
      multiply_tokens<grouped, layout, kMaxTokens>(gemm, panel, token);
    }
    multiply_remainder<grouped, layout, kMaxTokens - 1>(gemm, panel, token,
                                                        block.last_token - token);
  }
}

}  // namespace
}  // namespace bitnet::kernels
