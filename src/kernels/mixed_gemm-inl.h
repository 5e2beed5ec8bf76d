// SPDX-License-Identifier: MIT
// The ternary product by lookups and by dot products at once. Lookups (table_lookup-inl.h) take all
// that a core can load and half of its vector pipes; dot products take two of Zen 4's four pipes
// and load little. So one part of a block's panels is looked up, a step of all its rows at a time,
// and beside every kUnitRows rows runs one step of the other part's dot products: one panel,
// kMaxTokens tokens, whose sums stay in registers.
//
// An ISA file defines what table_lookup-inl.h and simd_accumulate-inl.h ask for and includes them
// before, and
//   find_entries<layout>(const uint8_t* step_bytes, TableEntries&)
//       of the 32 rows of a panel
//   dot_field<layout>(RowSums (&)[kRegistersAtOnce], const Trits<layout> (&)[kRegistersAtOnce],
//                     size_t field, const int8_t* codes)
//       dot, but for one field only
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/prefetch-inl.h"
#include "kernels/table_lookup-inl.h"
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

/// The dot products of a block with whole groups of kMaxTokens tokens: one panel and group after
/// the other, as far as they are.
struct DotProducts {
  GemmBlock block;
  std::size_t panel, token;
  std::size_t steps_left;          ///< of this panel and group; 0: all is done
  const std::uint8_t* step_bytes;  ///< of the next step
  const std::int8_t* codes;
  alignas(64) PanelSums sums[kMaxTokens];
};

inline void begin_group(const TernaryGemm& gemm, std::size_t panel, std::size_t token,
                        DotProducts& dots) {
  dots.panel = panel;
  dots.token = token;
  dots.steps_left = 0;
  if (panel == dots.block.last_panel) return;
  dots.steps_left = gemm.steps;
  dots.step_bytes = gemm.tiles + panel * gemm.steps * kPanelStepBytes;
  dots.codes = gemm.codes + token * gemm.code_stride;
  __builtin_memset(dots.sums, 0, sizeof dots.sums);
  for (std::size_t m = 0; m < kMaxTokens; ++m) prefetch_results(gemm, panel, token + m);
}

/// Stores what is complete and begins what comes next.
inline void end_group(const TernaryGemm& gemm, DotProducts& dots) {
  for (std::size_t m = 0; m < kMaxTokens; ++m) {
    subtract_code_sum(gemm.code_sums[dots.token + m], dots.sums[m]);
    store_panel_sums(dots.sums[m], gemm, dots.token + m, dots.panel);
  }
  if (dots.token + kMaxTokens != dots.block.last_token) {
    begin_group(gemm, dots.panel, dots.token + kMaxTokens, dots);
  } else {
    begin_group(gemm, dots.panel + 1, dots.block.first_token, dots);
  }
}

/// The panels of a block that are looked up, at one step.
struct TableStep {
  const std::uint8_t* step_bytes;  ///< of the first panel
  std::size_t panel_bytes;         ///< from one panel to the next
  std::size_t panels;
};

/// Field i of a step of dot products. The codes of the second half of the tokens are named apart,
/// so that the stride and its triple reach all.
template <TileLayout layout>
[[gnu::always_inline]] inline void dot_field_of_tokens(
    RowSums (&sums)[kMaxTokens][kPanelRegisters], const Trits<layout> (&trits)[kPanelRegisters],
    std::size_t i, const std::int8_t* codes, const std::int8_t* far_codes,
    std::size_t code_stride) {
  constexpr std::size_t kNear = kMaxTokens / 2;
  unrolled<kMaxTokens>([&](std::size_t m) {
    const std::int8_t* token_codes =
        m < kNear ? codes + m * code_stride : far_codes + (m - kNear) * code_stride;
    dot_field<layout>(sums[m], trits, i, token_codes);
  });
}

/// Looks up the rows of the units [first, last), kPanelUnits a panel, and with each of them does a
/// step of dot products, if any.
template <TileLayout layout, bool with_dots, bool widens>
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
  const std::uint8_t* dot_bytes = with_dots ? dots.step_bytes : nullptr;
  const std::int8_t* codes = with_dots ? dots.codes : nullptr;
  const std::int8_t* far_codes = with_dots ? codes + kMaxTokens / 2 * code_stride : nullptr;
  for (std::size_t unit = first; unit < last; ++unit) {
    const std::size_t panel = unit / kPanelUnits;
    if (unit % kPanelUnits == 0 && panel + 1 < step.panels) {
      const std::uint8_t* next = step.step_bytes + (panel + 1) * step.panel_bytes;
      prefetch_lines<kPanelStepBytes, kFirstLevel>(reinterpret_cast<std::uintptr_t>(next) +
                                                   kPrefetchPanels * step.panel_bytes);
      find_entries<layout>(next, scratch.entries[(panel + 1) % 2]);
    }
    const std::uint64_t* entries =
        scratch.entries[panel % 2].of_row + unit % kPanelUnits * kUnitRows;
    const TableSums table_sums = sums_from(unit * kUnitRows, scratch);
    Trits<layout> trits[kPanelRegisters];
    if constexpr (with_dots) {
      unrolled<kPanelRegisters>(
          [&](std::size_t v) { trits[v] = decode<layout>(dot_bytes + v * 4 * kRowLanes); });
    }
    unrolled<kUnitRows>([&](std::size_t row) __attribute__((always_inline)) {
      look_up_row<layout>(entries, row, widens, scratch.tables[0][0], table_sums);
      unrolled<kFields>([&](std::size_t i) __attribute__((always_inline)) {
        if (with_dots && i * kUnitRows / kFields == row) {
          dot_field_of_tokens<layout>(sums, trits, i, codes, far_codes, code_stride);
        }
      });
    });
    if constexpr (with_dots) {
      dot_bytes += kPanelStepBytes;
      codes += TileGeometry<layout>::kStepInputs;
      far_codes += TileGeometry<layout>::kStepInputs;
      // Unknown again, so that GCC 12 keeps no multiples of it, for which registers lack.
      asm("" : "+r"(code_stride), "+r"(far_codes));
    }
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

/// Looks up one step of all rows, beside dot products as long as there are any.
template <TileLayout layout, bool widens>
void look_up_step(const TernaryGemm& gemm, const GemmBlock& block, std::size_t step,
                  TableScratch& scratch, DotProducts& dots) {
  const TableStep table_step = {
      .step_bytes = gemm.tiles + (block.first_panel * gemm.steps + step) * kPanelStepBytes,
      .panel_bytes = gemm.steps * kPanelStepBytes,
      .panels = block.last_panel - block.first_panel};
  find_entries<layout>(table_step.step_bytes, scratch.entries[0]);
  const std::size_t units = table_step.panels * kPanelUnits;
  std::size_t unit = 0;
  while (unit != units && dots.steps_left != 0) {
    const std::size_t count = units - unit < dots.steps_left ? units - unit : dots.steps_left;
    look_up_units<layout, true, widens>(table_step, unit, unit + count, gemm.code_stride, scratch,
                                        dots);
    unit += count;
    dots.steps_left -= count;
    if (dots.steps_left == 0) end_group(gemm, dots);
  }
  look_up_units<layout, false, widens>(table_step, unit, units, gemm.code_stride, scratch, dots);
}

/// At most kTableTokens tokens and kMixedPanels panels.
template <TileLayout layout>
void multiply_mixed(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch) {
  const std::size_t panels = block.last_panel - block.first_panel;
  const std::size_t tokens = block.last_token - block.first_token;
  const std::size_t groups = (tokens + kMaxTokens - 1) / kMaxTokens;
  // At each step a panel's lookups take kPanelUnits units, its dot products one a group: cut so,
  // both parts end together.
  const std::size_t middle = block.last_panel - panels * kPanelUnits / (kPanelUnits + groups);
  const std::size_t last_group_end = block.last_token - tokens % kMaxTokens;
  const GemmBlock looked_up = {block.first_panel, middle, block.first_token, block.last_token};

  DotProducts dots;
  dots.block = {middle, block.last_panel, block.first_token, last_group_end};
  const bool any_group = last_group_end != block.first_token;
  begin_group(gemm, any_group ? middle : block.last_panel, block.first_token, dots);

  clear_sums((middle - block.first_panel) * kPanelRows, scratch);
  Words reach = zero_words();
  for (std::size_t step = 0; step < gemm.steps; ++step) {
    const Words more = build_tables<layout>(gemm, looked_up, step, scratch);
    if (must_widen(more, reach)) {
      look_up_step<layout, true>(gemm, looked_up, step, scratch, dots);
    } else {
      look_up_step<layout, false>(gemm, looked_up, step, scratch, dots);
    }
  }
  store_panels(gemm, looked_up, scratch);
  for (std::size_t panel = middle; panel < block.last_panel; ++panel) {
    multiply_remainder<false, layout, kMaxTokens - 1>(gemm, panel, last_group_end,
                                                      block.last_token - last_group_end);
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
