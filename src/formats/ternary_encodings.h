// SPDX-License-Identifier: MIT
// Trits and small integers as bytes of GGUF's block formats (docs/formats/packed_ternary.md).
//
// In all of them value = scale * integer. i2_s has one float32 scale behind the last row; the
// others a float16 scale in every block.
#pragma once

#include <bitnet/checkpoint.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bitnet {

/// i2_s, tq1_0, tq2_0, q2_0 and q4_0 carry trits exactly.
bool holds_trits(Encoding encoding);
inline bool is_ternary_type(Encoding e) { return e == Encoding::i2_s || e == Encoding::tq1_0 || e == Encoding::tq2_0; }
/// Columns must be a multiple of this: 128, 256, 256, 64, 32.
std::size_t required_multiple(Encoding encoding);
/// Bytes of one row of `columns` trits, without i2_s_tail. Throws UnsupportedError naming the
/// encoding when it cannot hold such a row.
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

/// The one scale of the matrix: i2_s's own, or what all block scales other than 0 agree on. nullopt
/// when they differ, or all are 0.
std::optional<float> common_scale(const StoredTensor& tensor);

/// Numbers of rows [first_row, first_row + row_count) into out [row_count, columns]: f32 f16 bf16
/// f64 q4_0 q8_0 q2_0 tq1_0 tq2_0 i2_s; others are an UnsupportedError.
void decode_to_float(const StoredTensor& tensor, std::size_t first_row, std::size_t row_count,
                     std::span<float> out);

}  // namespace bitnet
