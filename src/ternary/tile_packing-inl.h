// SPDX-License-Identifier: MIT
// Packing and unpacking of one panel, in plain C++ on little-endian dwords. Internal linkage:
// kernel files include it too and compile it with their ISA's flags.
//
// A dword of digits is four inputs of one row. Weighted by its field's place value, no byte exceeds
// 242 (t16: 2 * (1 + 3 + 9 + 27 + 81)) or 170 (t2), so whole dwords add without carries between
// bytes. t16p is t16 with each byte exchanged for its own (permuted_trits.h).
#pragma once

#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ternary/permuted_trits.h"
#include "ternary/tile_layout.h"

namespace bitnet {
namespace {

/// panel[steps][32 rows] of dwords from digits [32, digit_stride], steps * step_inputs columns.
template <TileLayout layout>
void pack_panel(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
                std::uint8_t* panel) {
  using Geometry = TileGeometry<layout>;
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t row = 0; row < kPanelRows; ++row) {
      const std::uint8_t* source = digits + row * digit_stride + step * Geometry::kStepInputs;
      std::uint32_t packed = 0;
      std::uint32_t place = 1;
      for (std::size_t field = 0; field < Geometry::kFields; ++field, place *= Geometry::kBase) {
        std::uint32_t four;
        std::memcpy(&four, source + 4 * field, 4);
        packed += place * four;
      }
      std::memcpy(panel + step * kPanelStepBytes + 4 * row, &packed, 4);
    }
  }
  if constexpr (layout == TileLayout::t16p) {
    for (std::size_t i = 0; i < steps * kPanelStepBytes; ++i) {
      panel[i] = kT16pOfT16.bytes[panel[i]];
    }
  }
}

template <TileLayout layout>
void unpack_panel(const std::uint8_t* panel, std::size_t steps, std::uint8_t* digits,
                  std::size_t digit_stride) {
  using Geometry = TileGeometry<layout>;
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t row = 0; row < kPanelRows; ++row) {
      std::uint8_t* target = digits + row * digit_stride + step * Geometry::kStepInputs;
      for (std::size_t byte = 0; byte < 4; ++byte) {
        unsigned rest = panel[step * kPanelStepBytes + 4 * row + byte];
        if constexpr (layout == TileLayout::t16p) {
          rest = kT16OfT16p.bytes[rest];
        }
        for (std::size_t field = 0; field < Geometry::kFields; ++field, rest /= Geometry::kBase) {
          target[4 * field + byte] = static_cast<std::uint8_t>(rest % Geometry::kBase);
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitnet
