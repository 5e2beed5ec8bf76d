// SPDX-License-Identifier: MIT
// Trits as bytes of GGUF's block formats, and the numbers of any stored tensor
// (docs/formats/packed_ternary.md).
//
// In the ternary formats value = scale * trit. i2_s* have one float32 scale behind the last row,
// iq*_bn* one for each row, the others a float16 scale in every block.
#pragma once

#include <bitnet/checkpoint.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bitnet {

/// Holds nothing but trits and scales: i2_s*, tq*, iq*_bn*.
bool is_ternary_type(Encoding encoding);
/// Carries trits exactly: these, q2_0 and q4_0.
bool holds_trits(Encoding encoding);
/// Columns must be a multiple of this.
std::size_t required_multiple(Encoding encoding);
/// Bytes of one row of `columns` trits, without i2_s_tail: i2_s, tq1_0, tq2_0, q2_0, q4_0. Throws
/// UnsupportedError naming the encoding when it is another one or cannot hold such a row.
std::size_t encoded_row_bytes(Encoding encoding, std::size_t columns);

/// Encodes whole rows: trits [rows, columns] into out, rows * encoded_row_bytes. Block scales are
/// float16(scale), and 0 in an all-zero block, as the formats' own quantizers write; i2_s ignores
/// `scale`. Throws TernaryError, and QuantizationError when float16 cannot hold the scale.
void encode_ternary_rows(Encoding encoding, std::span<const std::int8_t> trits, std::size_t columns,
                         float scale, std::span<std::byte> out);

/// What follows the rows of an i2_s tensor: the scale, then zeros.
inline constexpr std::size_t kI2sTailBytes = 32;
std::array<std::byte, kI2sTailBytes> i2_s_tail(float scale);

/// Trits of rows [first_row, first_row + row_count) into out [row_count, columns]. Throws
/// TernaryError naming tensor, row and column for a number that is no trit, UnsupportedError for an
/// encoding that holds none.
void decode_trits(const StoredTensor& tensor, std::size_t first_row, std::size_t row_count,
                  std::span<std::int8_t> out);

/// The one scale of the matrix: what all scales other than 0 agree on, of blocks, rows or the
/// whole. nullopt when they differ, or all are 0.
std::optional<float> common_scale(const StoredTensor& tensor);

/// Numbers of rows [first_row, first_row + row_count) into out [row_count, columns], scales
/// included: every Encoding but other, which is an UnsupportedError. Rounds where float must; true
/// is 1.
void decode_to_float(const StoredTensor& tensor, std::size_t first_row, std::size_t row_count,
                     std::span<float> out);

}  // namespace bitnet
