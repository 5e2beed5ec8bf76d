// SPDX-License-Identifier: MIT
// The ternary product of many tokens with digits unpacked once: some steps of a panel become digits
// in the first-level cache, and all tokens of the block pass by them. For CPUs whose unpacking and
// dot products share their ports (docs/performance.md).
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd_accumulate-inl.h"
#include "kernels/ternary_gemm-inl.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kUnpackedSteps = 32;    // 20 KB of t16 digits
constexpr std::size_t kUnpackedTokens = 128;  // 16 KB of sums
static_assert(kPanelRegisters == kRegistersAtOnce);

template <TileLayout layout>
using UnpackedStep = Trits<layout>[kPanelRegisters];

/// sums[m] += digits of `steps` steps times the codes of M tokens
template <TileLayout layout, std::size_t M>
inline void add_unpacked(const UnpackedStep<layout>* digits, std::size_t steps,
                         const std::int8_t* codes, std::size_t stride, PanelSums* sums) {
  RowSums acc[M][kPanelRegisters];
  for (auto& token_sums : acc) {
    for (RowSums& sum : token_sums) {
      sum = zero_sums();
    }
  }
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < TileGeometry<layout>::kFields; ++i) {
      for (std::size_t m = 0; m < M; ++m) {
        dot_field<layout>(acc[m], digits[step], i, codes + m * stride);
      }
    }
    codes += TileGeometry<layout>::kStepInputs;
  }
  for (std::size_t m = 0; m < M; ++m) {
    for (std::size_t v = 0; v < kPanelRegisters; ++v) {
      add_to(sums[m] + v * kRowLanes, acc[m][v]);
    }
  }
}

template <TileLayout layout, std::size_t M>
inline void add_unpacked_tokens(const UnpackedStep<layout>* digits, std::size_t steps,
                                const std::int8_t* codes, std::size_t stride, std::size_t tokens,
                                PanelSums* sums) {
  for (; tokens >= M; tokens -= M) {
    add_unpacked<layout, M>(digits, steps, codes, stride, sums);
    codes += M * stride;
    sums += M;
  }
  if constexpr (M != 1) {
    add_unpacked_tokens<layout, M / 2>(digits, steps, codes, stride, tokens, sums);
  }
}

/// One panel times up to kUnpackedTokens tokens.
template <TileLayout layout>
void multiply_unpacked_tokens(const TernaryGemm& gemm, std::size_t panel, std::size_t token,
                              std::size_t tokens) {
  PanelSums sums[kUnpackedTokens];
  for (std::size_t m = 0; m < tokens; ++m) {
    for (std::int32_t& sum : sums[m]) {
      sum = -gemm.code_sums[token + m];
    }
    prefetch_results(gemm, panel, token + m);
  }
  UnpackedStep<layout> digits[kUnpackedSteps];
  const std::uint8_t* bytes = gemm.tiles + panel * gemm.steps * kPanelStepBytes;
  const std::int8_t* codes = gemm.codes + token * gemm.code_stride;
  for (std::size_t first = 0; first < gemm.steps; first += kUnpackedSteps) {
    const std::size_t left = gemm.steps - first;
    const std::size_t steps = left < kUnpackedSteps ? left : kUnpackedSteps;
    for (std::size_t step = 0; step < steps; ++step) {
      prefetch_ahead<kPanelStepBytes>(bytes, kUnpackedSteps * kPanelStepBytes);  // the next digits
      for (std::size_t v = 0; v < kPanelRegisters; ++v) {
        digits[step][v] = decode<layout>(bytes + v * 4 * kRowLanes);
      }
      bytes += kPanelStepBytes;
    }
    add_unpacked_tokens<layout, kMaxTokens>(digits, steps, codes, gemm.code_stride, tokens, sums);
    codes += steps * TileGeometry<layout>::kStepInputs;
  }
  for (std::size_t m = 0; m < tokens; ++m) {
    store_panel_sums(sums[m], gemm, token + m, panel);
  }
}

/// gemm_t16 and gemm_t2: as multiply_block, but for blocks of TernaryGemm::unpack_once tokens.
template <TileLayout layout>
void multiply_block_unpacked(const TernaryGemm& gemm, const GemmBlock& block) {
  if (gemm.unpack_once == 0 || block.last_token - block.first_token < gemm.unpack_once) {
    multiply_block<false, layout>(gemm, block);
    return;
  }
  for (std::size_t panel = block.first_panel; panel < block.last_panel; ++panel) {
    for (std::size_t token = block.first_token; token < block.last_token;
         token += kUnpackedTokens) {
      const std::size_t left = block.last_token - token;
      multiply_unpacked_tokens<layout>(gemm, panel, token,
                                       left < kUnpackedTokens ? left : kUnpackedTokens);
    }
  }
}

constexpr KernelTable with_unpacked_gemm(KernelTable table) {
  table.gemm_t16 = multiply_block_unpacked<TileLayout::t16>;
  table.gemm_t2 = multiply_block_unpacked<TileLayout::t2>;
  return table;
}

}  // namespace
}  // namespace bitnet::kernels
