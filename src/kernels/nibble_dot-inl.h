// SPDX-License-Identifier: MIT
// The product of 4-bit codes and two-digit numbers that the sketch of an output head is made of.
// An ISA file defines before, beside what simd_accumulate-inl.h asks for:
//   kNibbleRegisters       registers of rows held together; they divide a panel
//   Nibbles                the codes of kRowLanes rows and one step
//   split_nibbles(const uint8_t*) -> Nibbles
//   add_nibbles(RowSums&, Nibbles, const int8_t* codes)   adds the products with eight digits
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/prefetch-inl.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

void nibble_dot(const std::uint8_t* panel, std::size_t steps, const std::int8_t* high,
                const std::int8_t* low, std::size_t prefetch, std::int32_t* high_sums,
                std::int32_t* low_sums) {
  for (std::size_t row = 0; row < kPanelRows; row += kNibbleRegisters * kRowLanes) {
    RowSums of_high[kNibbleRegisters];
    RowSums of_low[kNibbleRegisters];
    for (std::size_t v = 0; v < kNibbleRegisters; ++v) {
      of_high[v] = zero_sums();
      of_low[v] = zero_sums();
    }
    const std::size_t ahead = row == 0 ? prefetch : 0;
    for (std::size_t step = 0; step < steps; ++step) {
      const std::uint8_t* bytes = panel + step * kPanelStepBytes;
      for (std::size_t v = 0; v < kNibbleRegisters; ++v) {
        constexpr std::size_t kPart = kPanelStepBytes / kNibbleRegisters;
        prefetch_ahead<kPart>(bytes + v * kPart, ahead);
        const Nibbles codes = split_nibbles(bytes + 4 * (row + v * kRowLanes));
        add_nibbles(of_high[v], codes, high + step * kNibbleStepInputs);
        add_nibbles(of_low[v], codes, low + step * kNibbleStepInputs);
      }
    }
    for (std::size_t v = 0; v < kNibbleRegisters; ++v) {
      store(high_sums + row + v * kRowLanes, of_high[v]);
      store(low_sums + row + v * kRowLanes, of_low[v]);
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
