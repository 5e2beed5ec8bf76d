// SPDX-License-Identifier: MIT
// Table lookup across tokens (Vec-LUT, arXiv 2512.06443): what the ternary products that use it
// share (table_gemm-inl.h, mixed_gemm-inl.h). Four inputs have 3^4 = 81 patterns of trits. For 32
// tokens at once, the sum of the four codes under every pattern is tabulated; a row then finds its
// share of those inputs' products by one load and one addition per token vector instead of
// multiplying. The tables of a step (20 to 26 KB) stay in the first-level cache while all rows of
// the block pass by, so the rows pay for building them.
//
// Table b < 4 of a step holds the inputs of byte b's first four fields, 4 i + b; t16 has a fifth
// for the fields left over, one per byte: inputs 16 to 19. An entry's index is Σ (w_i + 1) 3^i.
//
// Entries and their sums are int16 and need no correction for the digits' offset: entries sum the
// trits themselves. Whatever the trits, a token's sum lies within the sum of its codes' magnitudes:
// before that exceeds int16, sums move to int32.
//
// An ISA file defines before it includes this header:
//   Words                     32 int16 lanes, lane = token
//   load(const int16_t*), store(int16_t*, Words), zero_words(), add, subtract
//   magnitudes(Words), any_negative(Words)     of int16 lanes
//   add_words(int32_t* sums, Words)            sums[lane] += word
//   RowSums, load_sums(const int32_t*), store(int32_t*, RowSums)    kRowLanes int32
//   interleave_low, interleave_high(RowSums a, RowSums b)           halves of a0 b0 a1 b1 ...
//   load_transposed(const int8_t* const (&rows)[32], size_t first, Words* x)
//       x[k] = the codes first + k of all rows, k < 16
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/interleave-inl.h"
#include "kernels/kernel_table.h"
#include "kernels/table_scratch.h"
#include "kernels/ternary_gemm-inl.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

template <TileLayout layout>
inline constexpr std::size_t kStepTables = TileGeometry<layout>::kStepInputs / kTableInputs;
static_assert(kStepTables<TileLayout::t16> <= kMostStepTables);
static_assert(kTableTokens * kTableEntries < 65536);  // offsets are uint16

/// Distance in panels at which tiles are fetched ahead: a step's tiles lie a whole panel apart,
/// which no hardware prefetcher follows, and a panel takes about as long as memory's latency.
constexpr std::size_t kPrefetchPanels = 3;

using TokenWords = std::int16_t[kTableTokens];

constexpr std::size_t table_input(std::size_t table, std::size_t i) {
  return table < 4 ? 4 * i + table : 16 + i;
}

/// entries[Σ (w_i + 1) 3^i] = Σ w_i x_i
inline void build_table(const Words (&x)[kTableInputs], TokenWords* entries) {
  Words with_3 = subtract(zero_words(), x[3]);
  for (int w3 = -1; w3 <= 1; ++w3) {
    Words with_2 = subtract(with_3, x[2]);
    for (int w2 = -1; w2 <= 1; ++w2) {
      Words with_1 = subtract(with_2, x[1]);
      for (int w1 = -1; w1 <= 1; ++w1) {
        store(entries[0], subtract(with_1, x[0]));
        store(entries[1], with_1);
        store(entries[2], add(with_1, x[0]));
        entries += 3;
        with_1 = add(with_1, x[1]);
      }
      with_2 = add(with_2, x[2]);
    }
    with_3 = add(with_3, x[3]);
  }
}

/// The codes of one step, lane = token. Tokens that the block lacks repeat its last one; their sums
/// are dropped.
template <TileLayout layout>
inline void load_step(const TernaryGemm& gemm, const GemmBlock& block, std::size_t step,
                      Words (&codes)[TileGeometry<layout>::kStepInputs]) {
  constexpr std::size_t kStepInputs = TileGeometry<layout>::kStepInputs;
  const std::int8_t* rows[kTableTokens];
  for (std::size_t t = 0; t < kTableTokens; ++t) {
    const std::size_t token = block.first_token + t;
    const std::size_t present = token < block.last_token ? token : block.last_token - 1;
    rows[t] = gemm.codes + present * gemm.code_stride + step * kStepInputs;
  }
  load_transposed(rows, 0, codes);
  if constexpr (kStepInputs > 16) {
    load_transposed(rows, kStepInputs - 16, codes + kStepInputs - 16);
  }
}

/// Returns the sums of the step's magnitudes.
template <TileLayout layout>
inline Words build_tables(const TernaryGemm& gemm, const GemmBlock& block, std::size_t step,
                          TableScratch& scratch) {
  Words codes[TileGeometry<layout>::kStepInputs];
  load_step<layout>(gemm, block, step, codes);
  for (std::size_t table = 0; table < kStepTables<layout>; ++table) {
    Words x[kTableInputs];
    for (std::size_t i = 0; i < kTableInputs; ++i) {
      x[i] = codes[table_input(table, i)];
    }
    build_table(x, scratch.tables[table]);
  }
  Words reach = zero_words();
  for (const Words& x : codes) reach = add(reach, magnitudes(x));
  return reach;
}

/// Whether narrow sums must be widened before a step that may take them `more` further from zero
/// than they can be, `reach`; updates that.
inline bool must_widen(const Words& more, Words& reach) {
  constexpr std::size_t kMostOfStep = kMostStepTables * kTableInputs * 128;
  static_assert(32767 + kMostOfStep < 65536);  // what exceeds int16 looks negative
  const Words sum = add(reach, more);
  const bool widens = any_negative(sum);
  reach = widens ? more : sum;
  return widens;
}

/// Where the sums of some rows begin.
struct TableSums {
  TokenWords* narrow;
  std::int32_t (*wide)[kTableTokens];
};

inline TableSums sums_from(std::size_t row, TableScratch& scratch) {
  return {scratch.narrow_sums + row, scratch.wide_sums + row};
}

inline void clear_sums(std::size_t rows, TableScratch& scratch) {
  __builtin_memset(scratch.narrow_sums, 0, rows * sizeof *scratch.narrow_sums);
  __builtin_memset(scratch.wide_sums, 0, rows * sizeof *scratch.wide_sums);
}

inline std::size_t entry_offset(const TableOffsets& offsets, std::size_t row, std::size_t table) {
  return table < 4 ? offsets.of_bytes[row][table] : offsets.of_top_fields[row];
}
/// By the words of TableEntries.
inline std::size_t entry_offset(const std::uint64_t* entries, std::size_t row, std::size_t table) {
  return ((entries[row] >> (8 * table)) & 0xff) * kTableTokens;
}

/// Adds to a row's narrow sums the entries of its trits. `row` counts from where the places and the
/// sums of some rows begin.
template <TileLayout layout, class Places>
[[gnu::always_inline]] inline void look_up_row(const Places& places, std::size_t row, bool widens,
                                               const std::int16_t* tables, const TableSums& sums) {
  Words sum = load(sums.narrow[row]);
  if (widens) {
    add_words(sums.wide[row], sum);
    sum = zero_words();
  }
  for (std::size_t table = 0; table < kStepTables<layout>; ++table) {
    constexpr std::size_t kTableWords = kTableEntries * kTableTokens;
    sum = add(sum, load(tables + (table * kTableWords + entry_offset(places, row, table))));
  }
  store(sums.narrow[row], sum);
}

/// by_token[t][r] = by_row[r][t]
inline void transpose_sums(const std::int32_t (*by_row)[kTableTokens], PanelSums* by_token) {
  for (std::size_t row = 0; row < kPanelRows; row += kRowLanes) {
    for (std::size_t token = 0; token < kTableTokens; token += kRowLanes) {
      RowSums sums[kRowLanes];
      for (std::size_t i = 0; i < kRowLanes; ++i) sums[i] = load_sums(by_row[row + i] + token);
      interleave<__builtin_ctzl(kRowLanes)>(
          sums, [](RowSums a, RowSums b) { return interleave_low(a, b); },
          [](RowSums a, RowSums b) { return interleave_high(a, b); });
      for (std::size_t i = 0; i < kRowLanes; ++i) store(by_token[token + i] + row, sums[i]);
    }
  }
}

/// The results of a block whose sums are complete.
inline void store_panels(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch) {
  for (std::size_t panel = block.first_panel; panel < block.last_panel; ++panel) {
    for (std::size_t token = block.first_token; token < block.last_token; ++token) {
      if (panel + 1 < block.last_panel) prefetch_results(gemm, panel + 1, token);
    }
    const TableSums by_row = sums_from((panel - block.first_panel) * kPanelRows, scratch);
    for (std::size_t row = 0; row < kPanelRows; ++row) {
      add_words(by_row.wide[row], load(by_row.narrow[row]));
    }
    PanelSums sums[kTableTokens];
    transpose_sums(by_row.wide, sums);
    for (std::size_t token = block.first_token; token < block.last_token; ++token) {
      store_panel_sums(sums[token - block.first_token], gemm, token, panel);
    }
  }
}

/// A block of any size as passes of at most `pass_panels` panels and kTableTokens tokens.
template <std::size_t pass_panels, class Pass>
void multiply_in_passes(Pass pass, const TernaryGemm& gemm, const GemmBlock& block,
                        TableScratch& scratch) {
  for (std::size_t panel = block.first_panel; panel < block.last_panel; panel += pass_panels) {
    const std::size_t last_panel =
        block.last_panel - panel < pass_panels ? block.last_panel : panel + pass_panels;
    for (std::size_t token = block.first_token; token < block.last_token; token += kTableTokens) {
      const std::size_t last_token =
          block.last_token - token < kTableTokens ? block.last_token : token + kTableTokens;
      pass(gemm, GemmBlock{panel, last_panel, token, last_token}, scratch);
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
