// SPDX-License-Identifier: MIT
// One panel of a weight, from rows of digits (trits + 1).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/aligned_vector.h"
#include "kernels/kernel_table.h"
#include "ternary/ternary_storage.h"
#include "ternary/tile_layout.h"

namespace bitnet {

/// Packs the builder's panel of a weight [rows, columns]: digits_of_row(row, digits [columns])
/// writes a row's digits and returns how many of its trits are zero. Returns how many of the
/// panel's are.
template <class DigitsOfRow>
std::size_t pack_rows(TernaryWeightBuilder& builder, std::size_t panel, std::size_t rows,
                      std::size_t columns, const kernels::KernelTable& kernels,
                      const DigitsOfRow& digits_of_row) {
  // Rows that lie a power of two apart would share a few sets of the cache.
  const std::size_t stride = builder.steps() * step_inputs(builder.layout()) + kCacheLine;
  thread_local AlignedVector<std::uint8_t> digits;  // [32, stride]
  digits.resize(kPanelRows * stride);
  const std::size_t first = panel * kPanelRows;
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < kPanelRows; ++i) {
    std::uint8_t* const row_digits = digits.data() + i * stride;
    const std::size_t used = first + i < rows ? columns : 0;
    if (used != 0) {
      zeros += digits_of_row(first + i, row_digits);
    }
    std::fill(row_digits + used, row_digits + stride, std::uint8_t{1});  // padding weighs nothing
  }
  const auto pack = kernels::pack_kernel(kernels, builder.layout());
  pack(digits.data(), stride, builder.steps(), builder.panel(panel));
  return zeros;
}

}  // namespace bitnet
