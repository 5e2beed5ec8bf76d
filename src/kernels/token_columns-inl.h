// SPDX-License-Identifier: MIT
// Codes of 32 tokens with the token as the lane, for products by table lookup (table_lookup-inl.h)
// on AVX2 and AVX-512.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/table_scratch.h"

namespace bitnet::kernels {
namespace {

/// columns[k] = the codes first + k of all rows, k < 16. Interleaving the bytes of registers i and
/// i + 8 four times transposes 16 x 16 of them: at the same time for tokens 0 to 15 in the lower
/// and 16 to 31 in the upper half.
inline void load_columns(const std::int8_t* const (&rows)[kTableTokens], std::size_t first,
                         __m256i (&columns)[16]) {
  const auto load_half = [first](const std::int8_t* row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + first));
  };
  for (std::size_t t = 0; t < 16; ++t) {
    columns[t] = _mm256_set_m128i(load_half(rows[t + 16]), load_half(rows[t]));
  }
  for (int round = 0; round < 4; ++round) {
    __m256i interleaved[16];
    for (std::size_t i = 0; i < 8; ++i) {
      interleaved[2 * i] = _mm256_unpacklo_epi8(columns[i], columns[i + 8]);
      interleaved[2 * i + 1] = _mm256_unpackhi_epi8(columns[i], columns[i + 8]);
    }
    __builtin_memcpy(columns, interleaved, sizeof columns);
  }
}

}  // namespace
}  // namespace bitnet::kernels
