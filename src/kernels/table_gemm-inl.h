// SPDX-License-Identifier: MIT
// The ternary product by table lookup alone (table_lookup-inl.h).
//
// An ISA file defines before it includes this header what table_lookup-inl.h asks for, and
//   table_offsets<layout>(const uint8_t* step_bytes, TableOffsets&)
//       for each row of a panel, where in each table its entry starts: 32 times the index.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/table_lookup-inl.h"
#include "kernels/table_scratch.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

/// One step of a panel whose rows' sums begin at first_row.
template <TileLayout layout>
[[gnu::noinline]] void look_up_panel(const std::uint8_t* step_bytes, std::size_t first_row,
                                     bool widens, TableScratch& scratch) {
  TableOffsets offsets;
  table_offsets<layout>(step_bytes, offsets);
  const TableSums sums = sums_from(first_row, scratch);
  for (std::size_t row = 0; row < kPanelRows; ++row) {
    look_up_row<layout>(offsets, row, widens, scratch.tables[0][0], sums);
  }
}

/// At most kTableTokens tokens and kTablePanels panels.
template <TileLayout layout>
void multiply_by_tables(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch) {
  const std::size_t panel_bytes = gemm.steps * kPanelStepBytes;
  const std::size_t panels = block.last_panel - block.first_panel;
  const std::uint8_t* tiles = gemm.tiles + block.first_panel * panel_bytes;
  clear_sums(panels * kPanelRows, scratch);
  Words reach = zero_words();
  for (std::size_t step = 0; step < gemm.steps; ++step) {
    const bool widens = must_widen(build_tables<layout>(gemm, block, step, scratch), reach);
    for (std::size_t panel = 0; panel < panels; ++panel) {
      const std::uint8_t* step_bytes = tiles + panel * panel_bytes + step * kPanelStepBytes;
      if (panel + kPrefetchPanels < panels) {
        __builtin_prefetch(step_bytes + kPrefetchPanels * panel_bytes);
        __builtin_prefetch(step_bytes + kPrefetchPanels * panel_bytes + kTileBytes);
      }
      look_up_panel<layout>(step_bytes, panel * kPanelRows, widens, scratch);
    }
  }
  store_panels(gemm, block, scratch);
}

template <TileLayout layout>
void multiply_block_by_tables(const TernaryGemm& gemm, const GemmBlock& block,
                              TableScratch& scratch) {
  multiply_in_passes<kTablePanels>(multiply_by_tables<layout>, gemm, block, scratch);
}

/// A table with these kernels, worth their while from `least_tokens` tokens on.
constexpr KernelTable with_table_gemm(KernelTable table, std::size_t least_tokens) {
  table.table_gemm_t16 = multiply_block_by_tables<TileLayout::t16>;
  table.table_gemm_t2 = multiply_block_by_tables<TileLayout::t2>;
  table.table_gemm_least_tokens = least_tokens;
  // For 128 rows the tables of a step take half as long to build as to use.
  table.table_gemm_panels = {.least = 4, .most = kTablePanels};
  return table;
}

}  // namespace
}  // namespace bitnet::kernels
