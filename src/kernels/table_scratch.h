// SPDX-License-Identifier: MIT
// What one pass of the products by table lookup serves, and its working memory
// (table_lookup-inl.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "ternary/tile_layout.h"

namespace bitnet::kernels {

inline constexpr std::size_t kTableTokens = 32;
inline constexpr std::size_t kNeverByTables = kTableTokens + 1;
inline constexpr std::size_t kTablePanels = 40;  ///< 1280 rows: their sums take 240 KB
inline constexpr std::size_t kTableInputs = 4;
inline constexpr std::size_t kTableEntries = 81;  ///< 3^4
inline constexpr std::size_t kMostStepTables = 5;

/// Where the entries of a panel's rows start, in words from the start of their tables.
struct TableOffsets {
  alignas(64) std::uint16_t of_bytes[kPanelRows][4];
  alignas(64) std::uint32_t of_top_fields[kPanelRows];  ///< t16 only
};

/// The same where each load of an offset would take the place of a load of an entry: which entries
/// they are, byte t of a row's word for table t.
struct TableEntries {
  alignas(64) std::uint64_t of_row[kPanelRows];
};

struct TableScratch {
  alignas(64) std::int16_t tables[kMostStepTables][kTableEntries][kTableTokens];
  TableEntries entries[2];  // of this panel and the next; of products beside others
  alignas(64) std::int16_t narrow_sums[kTablePanels * kPanelRows][kTableTokens];
  alignas(64) std::int32_t wide_sums[kTablePanels * kPanelRows][kTableTokens];
};

}  // namespace bitnet::kernels
