// SPDX-License-Identifier: MIT
// What follows the opening of a hostile file: its tensors are read.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/error.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "formats/encoding.h"
#include "formats/ternary_encodings.h"

namespace bitnet::fuzz {

inline constexpr std::size_t kMaxElements = 4096;

/// Decodes every tensor of up to kMaxElements in each way there is. An encoding without numbers or
/// trits, or a code that is none, is an Error and no finding.
inline void decode_tensors(const std::vector<StoredTensor>& tensors) {
  static std::vector<float> values(kMaxElements);
  static std::vector<std::int8_t> trits(kMaxElements);
  for (const StoredTensor& tensor : tensors) {
    const std::size_t size = tensor.shape.numel();
    if (size > kMaxElements) {
      continue;
    }
    const std::size_t rows = matrix_extent(tensor.shape).rows;
    try {
      decode_to_float(tensor, 0, rows, {values.data(), size});
      common_scale(tensor);
      decode_trits(tensor, 0, rows, {trits.data(), size});
    } catch (const Error&) {
      continue;
    }
  }
}

}  // namespace bitnet::fuzz
