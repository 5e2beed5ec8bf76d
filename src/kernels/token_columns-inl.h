// SPDX-License-Identifier: MIT
// Codes of 32 tokens with the token as the lane, for products by table lookup (table_lookup-inl.h)
// on AVX2 and AVX-512.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/interleave-inl.h"
#include "kernels/table_scratch.h"

namespace bitnet::kernels {
namespace {

/// columns[k] = the codes first + k of all rows, k < 16: transposed at the same time for tokens 0
/// to 15 in the lower and 16 to 31 in the upper half.
inline void load_columns(const std::int8_t* const (&rows)[kTableTokens], std::size_t first,
                         __m256i (&columns)[16]) {
  const auto load_half = [first](const std::int8_t* row) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + first));
  };
  for (std::size_t t = 0; t < 16; ++t) {
    columns[t] = _mm256_set_m128i(load_half(rows[t + 16]), load_half(rows[t]));
  }
  interleave<4>(
      columns, [](__m256i a, __m256i b) { return _mm256_unpacklo_epi8(a, b); },
      [](__m256i a, __m256i b) { return _mm256_unpackhi_epi8(a, b); });
}

}  // namespace
}  // namespace bitnet::kernels
