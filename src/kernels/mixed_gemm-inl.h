// SPDX-License-Identifier: MIT
// The ternary product by lookups and by dot products at once. Lookups (table_gemm-inl.h) take all
// that a core can load and half of its vector pipes; dot products take two of Zen 4's four pipes
// and load little. So one part of a block's panels is looked up, a step of all its rows at a time,
// and beside every kUnitRows rows runs one step of the other part's dot products: one panel,
// kMaxTokens tokens, whose sums stay in registers.
//
// An ISA file defines what table_gemm-inl.h and simd_accumulate-inl.h ask for and includes them
// before, and
//   dot_field<layout>(RowSums (&)[kRegistersAtOnce], const Trits<layout> (&)[kRegistersAtOnce],
//                     size_t field, const int8_t* codes)
//       dot, but for one field only
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/prefetch-inl.h"
#include "kernels/table_gemm-inl.h"
#include "kernels/table_scratch.h"
#include "kernels/ternary_gemm-inl.h"
#include "kernels/unrolled-inl.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

/// Rows looked up beside one step of dot products. More would leave the pipes idle, fewer the
/// loads.
constexpr std::size_t kUnitRows = 8;
constexpr std::size_t kPanelUnits = kPanelRows / kUnitRows;
static_assert(kPanelRegisters == kRegistersAtOnce);

/// Panels of a pass: at most kTablePanels of them are looked up.
constexpr std::size_t kMixedPanels = 2 * kTablePanels;

/// The dot products of one panel with the kMaxTokens tokens from `token` on, as far as they are.
struct DotProducts {
  std::size_t panel;
  std::size_t token;
  std::size_t steps_left;
  const std::uint8_t* step_bytes;
  const std::int8_t* codes;
  alignas(64) PanelSums sums[kMaxTokens];
};

inline void begin_dots(const TernaryGemm& gemm, std::size_t panel, std::size_t token,
                       DotProducts& dots) {
  dots.panel = panel;
  dots.token = token;
  dots.steps_left = gemm.steps;
  dots.step_bytes = gemm.tiles + panel * gemm.steps * kPanelStepBytes;
  dots.codes = gemm.codes + token * gemm.code_stride;
  __builtin_memset(dots.sums, 0, sizeof dots.sums);
  for (std::size_t m = 0; m < kMaxTokens; ++m) prefetch_results(gemm, panel, token + m);
}

inline void store_dots(const TernaryGemm& gemm, DotProducts& dots) {
  for (std::size_t m = 0; m < kMaxTokens; ++m) {
    subtract_code_sum(gemm.code_sums[dots.token + m], dots.sums[m]);
    store_panel_sums(dots.sums[m], gemm, dots.token + m, dots.panel);
  }
}

/// The panels of a block that are looked up, at one step.
struct TableStep {
  const std::uint8_t* step_bytes;  ///< of the first panel
  std::size_t panel_bytes;         ///< from one panel to the next
  std::size_t panels;
  RunEnds run;
};

/// Field i of a step of dot products.
template <TileLayout layout>
[[gnu::always_inline]] inline void dot_field_of_tokens(
    RowSums (&sums)[kMaxTokens][kPanelRegisters], const Trits<layout> (&trits)[kPanelRegisters],
    std::size_t i, const std::int8_t* codes, std::size_t code_stride) {
  unrolled<kMaxTokens>(
      [&](std::size_t m) { dot_field<layout>(sums[m], trits, i, codes + m * code_stride); });
}

/// Looks up the rows of the units [first, last), kPanelUnits a panel, and with each of them does a
/// step of dot products, if any.
template <TileLayout layout, bool with_dots, bool within_run>
[[gnu::noinline]] void look_up_units(const TableStep& step, std::size_t first, std::size_t last,
                                     std::size_t code_stride, TableScratch& scratch,
                                     DotProducts& dots) {
  constexpr std::size_t kFields = TileGeometry<layout>::kFields;
  RowSums sums[kMaxTokens][kPanelRegisters];
  if constexpr (with_dots) {
    unrolled<kMaxTokens>([&](std::size_t m) __attribute__((always_inline)) {
      unrolled<kPanelRegisters>(
          [&](std::size_t v) { sums[m][v] = load_sums(dots.sums[m] + v * kRowLanes); });
    });
  }
  const std::uint8_t* dot_bytes = dots.step_bytes;
  const std::int8_t* codes = dots.codes;
  for (std::size_t unit = first; unit < last; ++unit) {
    const std::size_t panel = unit / kPanelUnits;
    if (unit % kPanelUnits == 0 && panel + 1 < step.panels) {
      const std::uint8_t* next = step.step_bytes + (panel + 1) * step.panel_bytes;
      prefetch_lines<kPanelStepBytes, kFirstLevel>(reinterpret_cast<std::uintptr_t>(next) +
                                                   kPrefetchPanels * step.panel_bytes);
      find_entries<layout>(next, scratch.entries[(panel + 1) % 2]);
    }
    const TableEntries& entries = scratch.entries[panel % 2];
    const std::size_t unit_row = unit % kPanelUnits * kUnitRows;
    Trits<layout> trits[kPanelRegisters];
    if constexpr (with_dots) {
      prefetch_lines<kPanelStepBytes, kFirstLevel>(reinterpret_cast<std::uintptr_t>(dot_bytes) +
                                                   8 * kPanelStepBytes);
      unrolled<kPanelRegisters>(
          [&](std::size_t v) { trits[v] = decode<layout>(dot_bytes + v * 4 * kRowLanes); });
    }
    unrolled<kUnitRows>([&](std::size_t row) __attribute__((always_inline)) {
      look_up_row<layout>(entries, panel * kPanelRows, unit_row + row,
                          within_run ? RunEnds{} : step.run, scratch);
      unrolled<kFields>([&](std::size_t i) __attribute__((always_inline)) {
        if (with_dots && i * kUnitRows / kFields == row) {
          dot_field_of_tokens<layout>(sums, trits, i, codes, code_stride);
        }
      });
    });
    dot_bytes += kPanelStepBytes;
    codes += TileGeometry<layout>::kStepInputs;
  }
  if constexpr (with_dots) {
    dots.step_bytes = dot_bytes;
    dots.codes = codes;
    unrolled<kMaxTokens>([&](std::size_t m) __attribute__((always_inline)) {
      unrolled<kPanelRegisters>(
          [&](std::size_t v) { store(dots.sums[m] + v * kRowLanes, sums[m][v]); });
    });
  }
}

/// At most kTableTokens tokens and kMixedPanels panels.
template <TileLayout layout>
void multiply_mixed(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch) {
  const std::size_t tokens = block.last_token - block.first_token;
  const std::size_t groups = tokens / kMaxTokens;
  const std::size_t panels = block.last_panel - block.first_panel;
  // A panel's lookups take kPanelUnits units a step, its dot products one for each group of tokens:
  // with that many panels either way both end together.
  const std::size_t dot_panels =
      panels * kPanelUnits / (kPanelUnits + (tokens + kMaxTokens - 1) / kMaxTokens);
  const GemmBlock looked_up = {block.first_panel, block.last_panel - dot_panels, block.first_token,
                               block.last_token};
  const std::size_t table_panels = panels - dot_panels;
  const std::size_t rows = table_panels * kPanelRows;
  __builtin_memset(scratch.wide_sums, 0, rows * sizeof *scratch.wide_sums);
  std::size_t dot_steps = dot_panels * groups * gemm.steps;
  DotProducts dots;
  if (dot_steps != 0) begin_dots(gemm, looked_up.last_panel, block.first_token, dots);
  TableStep table_step = {gemm.tiles + block.first_panel * gemm.steps * kPanelStepBytes,
                          gemm.steps * kPanelStepBytes,
                          table_panels,
                          {}};
  for (std::size_t step = 0; step < gemm.steps; ++step) {
    build_tables<layout>(gemm, block, step, scratch);
    table_step.run = run_ends<layout>(step, gemm.steps);
    find_entries<layout>(table_step.step_bytes, scratch.entries[0]);
    std::size_t unit = 0;
    const std::size_t units = table_panels * kPanelUnits;
    while (unit != units && dot_steps != 0) {
      const std::size_t count = units - unit < dots.steps_left ? units - unit : dots.steps_left;
      if (table_step.run.begins || table_step.run.ends)
        look_up_units<layout, true, false>(table_step, unit, unit + count, gemm.code_stride,
                                           scratch, dots);
      else
        look_up_units<layout, true, true>(table_step, unit, unit + count, gemm.code_stride, scratch,
                                          dots);
      unit += count;
      dot_steps -= count;
      dots.steps_left -= count;
      if (dots.steps_left == 0) {
        store_dots(gemm, dots);
        const bool same_panel = dots.token + 2 * kMaxTokens <= block.last_token;
        if (dot_steps != 0) {
          begin_dots(gemm, same_panel ? dots.panel : dots.panel + 1,
                     same_panel ? dots.token + kMaxTokens : block.first_token, dots);
        }
      }
    }
    look_up_units<layout, false, false>(table_step, unit, units, gemm.code_stride, scratch, dots);
    table_step.step_bytes += kPanelStepBytes;
  }
  for (std::size_t panel = 0; panel < table_panels; ++panel) {
    store_panel(gemm, looked_up, block.first_panel + panel, scratch.wide_sums + panel * kPanelRows);
  }
  for (std::size_t panel = looked_up.last_panel; panel < block.last_panel; ++panel) {
    multiply_remainder<false, layout, kMaxTokens - 1>(
        gemm, panel, block.first_token + groups * kMaxTokens, tokens % kMaxTokens);
  }
}

template <TileLayout layout>
void multiply_block_mixed(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch) {
  multiply_in_passes<kMixedPanels>(multiply_mixed<layout>, gemm, block, scratch);
}

/// A table with these kernels in place of those by lookup alone.
constexpr KernelTable with_mixed_gemm(KernelTable table) {
  table.table_gemm_t16 = multiply_block_mixed<TileLayout::t16>;
  table.table_gemm_t2 = multiply_block_mixed<TileLayout::t2>;
  table.table_gemm_t16p = multiply_block_mixed<TileLayout::t16p>;
  table.table_gemm_least_tokens = kTableTokens;
  table.table_gemm_panels = {.least = 32, .most = kMixedPanels};
  return table;
}

}  // namespace
}  // namespace bitnet::kernels
