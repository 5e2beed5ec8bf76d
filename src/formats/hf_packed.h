// SPDX-License-Identifier: MIT
// The packed ternary matrices of Hugging Face checkpoints: X.weight and X.weight_scale.
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitnet {

// X.weight is uint8 [R, K] with R = ceil(N / 4): byte [r][k] holds the codes trit + 1 of rows
// r, r + R, r + 2R, r + 3R, lowest bits first (strips, not neighbouring rows).

/// Trits [rows, columns] -> bytes [rows / 4, columns]. rows must be a multiple of 4: Transformers
/// cannot load any other matrix.
std::vector<std::byte> encode_hf_packed(std::span<const std::int8_t> trits, std::size_t rows,
                                        std::size_t columns);

/// Trits of rows [first_row, first_row + row_count) of a matrix with `out_features` rows, into out
/// [row_count, K]. Throws TernaryError for code 3, FormatError for a tensor that is no such matrix.
void decode_hf_packed(const StoredTensor& weight, std::size_t out_features, std::size_t first_row,
                      std::size_t row_count, std::span<std::int8_t> out);

/// What X.weight_scale means: it depends on config.json (linear_class).
enum class HfScaleMeaning {
  multiplier,  ///< autobitlinear: w = trit * weight_scale
  divisor,     ///< bitlinear: w = trit / weight_scale
};

/// The multiplier s with w = s * trit. Throws FormatError unless the tensor holds one number,
/// QuantizationError unless it is positive and finite, as must be s.
float read_hf_scale(const StoredTensor& weight_scale, HfScaleMeaning meaning);

}  // namespace bitnet
