// SPDX-License-Identifier: MIT
// Geometry of packed ternary tiles: the same bytes on every ISA (docs/formats/packed_ternary.md).
//
// A tile is 64 bytes: 16 rows, lane = row. Dword r belongs to row r; byte b of it holds F fields,
// field i being the digit w + 1 of input k0 + 4 i + b. So field i of a whole tile meets one dword
// of consecutive activations, a[k0 + 4i .. k0 + 4i + 3], broadcast to all lanes.
//   t16: F = 5, byte = Σ digit_i 3^i (0..242), 20 inputs per step.
//   t2:  F = 4, byte = Σ digit_i 4^i,          16 inputs per step.
//   t16p: as t16, but the byte that permuted_trits.h has for these five digits.
// The sketch of an output head (src/model/head_sketch.h) keeps 4-bit codes in the same order:
//   nibbles: F = 2, byte = code_0 + 16 code_1,  8 inputs per step.
// Two tiles (a panel of 32 rows) are adjacent per step, then steps ascend, then panels: one
// sequential stream. Padding weights are digit 1 (w = 0), so a padded input adds its activation to
// the digit sum and the code sum alike; activations are padded with zeros.
//
// Only constants live here besides inline geometry: kernel files, compiled with ISA flags, may use
// the constants but must not instantiate shared inline functions.
#pragma once

#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <cstdint>

namespace bitnet {

inline constexpr std::size_t kTileRows = 16;
inline constexpr std::size_t kTileBytes = 64;
inline constexpr std::size_t kPanelRows = 2 * kTileRows;
inline constexpr std::size_t kPanelStepBytes = 2 * kTileBytes;

/// Fields per byte and inputs per step of a layout.
template <TileLayout layout>
struct TileGeometry;
template <>
struct TileGeometry<TileLayout::t16> {
  static constexpr std::size_t kFields = 5;
  static constexpr std::size_t kStepInputs = 20;
  static constexpr unsigned kBase = 3;
};
template <>
struct TileGeometry<TileLayout::t16p> : TileGeometry<TileLayout::t16> {};
template <>
struct TileGeometry<TileLayout::t2> {
  static constexpr std::size_t kFields = 4;
  static constexpr std::size_t kStepInputs = 16;
  static constexpr unsigned kBase = 4;
};

inline constexpr std::size_t kNibbleStepInputs = 8;

constexpr std::size_t step_inputs(TileLayout layout) {
  return layout == TileLayout::t2 ? TileGeometry<TileLayout::t2>::kStepInputs
                                  : TileGeometry<TileLayout::t16>::kStepInputs;
}

constexpr std::size_t step_count(TileLayout layout, std::size_t in_features) {
  return (in_features + step_inputs(layout) - 1) / step_inputs(layout);
}

constexpr std::size_t panel_count(std::size_t out_features) {
  return (out_features + kPanelRows - 1) / kPanelRows;
}

constexpr std::size_t panel_bytes(TileLayout layout, std::size_t in_features) {
  return step_count(layout, in_features) * kPanelStepBytes;
}

// Every path keeps its sums in int32. The largest term per input is one raw t16 field of 81 * 2
// times |code| <= 128, and a step adds four of them for each of its 20 inputs' bytes.
static_assert(std::uint64_t{162} * 128 * 4 *
                  (TernaryWeight::kMaxInFeatures / TileGeometry<TileLayout::t16>::kStepInputs + 1) <
              (std::uint64_t{1} << 31));

}  // namespace bitnet
