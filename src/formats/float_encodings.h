// SPDX-License-Identifier: MIT
// Rows of floats as bytes of the types that hold embeddings, output matrices and norms
// (docs/formats/packed_ternary.md).
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>
#include <span>

namespace bitnet {

/// f32, f16, bf16, q8_0, q4_0, q4_k and q6_k.
bool encodes_floats(Encoding encoding);

/// Bytes of one row of `columns` numbers. Throws UnsupportedError when the encoding is none of
/// encodes_floats or cannot hold such a row.
std::size_t float_row_bytes(Encoding encoding, std::size_t columns);

/// Encodes whole rows: values [rows, columns] into out, rows * float_row_bytes. f32, f16 and bf16
/// round half to even and keep NaN and infinity; the others do as ggml's reference quantizers, byte
/// for byte, and throw NonFiniteError. QuantizationError for a finite number, or a scale of a
/// block, that would become infinite. Both name row and column within `values`.
void encode_float_rows(Encoding encoding, std::span<const float> values, std::size_t columns,
                       std::span<std::byte> out);

}  // namespace bitnet
