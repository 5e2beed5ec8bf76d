// SPDX-License-Identifier: MIT
// The inner loop of the ternary product over SIMD registers. An ISA file defines before:
//   RowSums           int32 sums of kRowLanes rows
//   Trits<layout>     the digits of kRowLanes rows of one step: one register per field
//   kRowLanes         rows per register: 16, 8 or 4
//   kRegistersAtOnce  registers of rows held together
//   zero_sums(), store(int32_t*, RowSums)
//   decode<layout>(const uint8_t*) -> Trits<layout>
//   dot<layout>(RowSums (&)[kRegistersAtOnce], const Trits<layout> (&)[kRegistersAtOnce],
//               const int8_t* codes)
//       adds one token's Σ over the step's inputs. Codes are broadcast four at a time and used at
//       once for all registers: compilers that see the broadcasts far apart spill them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/prefetch-inl.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kPanelRegisters = kPanelRows / kRowLanes;

template <TileLayout layout, std::size_t M>
inline void accumulate(const std::uint8_t* panel, std::size_t first_input, std::size_t inputs,
                       const std::int8_t* codes, std::size_t stride, std::size_t prefetch,
                       std::int32_t (*sums)[kPanelRows]) {
  constexpr std::size_t kStepInputs = TileGeometry<layout>::kStepInputs;
  const std::size_t steps = inputs / kStepInputs;
  const std::uint8_t* first_step = panel + first_input / kStepInputs * kPanelStepBytes;
  for (std::size_t row = 0; row < kPanelRows; row += kRegistersAtOnce * kRowLanes) {
    RowSums acc[M][kRegistersAtOnce];
    for (auto& token_sums : acc) {
      for (RowSums& sum : token_sums) {
        sum = zero_sums();
      }
    }
    const std::uint8_t* step_bytes = first_step + 4 * row;
    const std::int8_t* step_codes = codes + first_input;
    const std::size_t ahead = row == 0 ? prefetch : 0;
    for (std::size_t step = 0; step < steps; ++step) {
      prefetch_ahead<kPanelStepBytes>(step_bytes, ahead);
      Trits<layout> trits[kRegistersAtOnce];
      for (std::size_t v = 0; v < kRegistersAtOnce; ++v) {
        trits[v] = decode<layout>(step_bytes + v * 4 * kRowLanes);
      }
      for (std::size_t m = 0; m < M; ++m) {
        dot<layout>(acc[m], trits, step_codes + m * stride);
      }
      step_bytes += kPanelStepBytes;
      step_codes += kStepInputs;
    }
    for (std::size_t m = 0; m < M; ++m) {
      for (std::size_t v = 0; v < kRegistersAtOnce; ++v) {
        store(sums[m] + row + v * kRowLanes, acc[m][v]);
      }
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
