// SPDX-License-Identifier: MIT
// How digits meet codes in the variants with the dot-product extension: sdot takes the four codes
// of a field from a lane of the register that holds a whole step's.
#pragma once

#include "kernels/neon-inl.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kMaxTokens = 8;  // 16 sums and 8 or 10 digit registers of the 32

template <TileLayout layout>
inline void dot(RowSums (&sums)[kRegistersAtOnce], const Trits<layout> (&trits)[kRegistersAtOnce],
                const std::int8_t* codes) {
  const int8x16_t step = vld1q_s8(codes);
  for (std::size_t v = 0; v < kRegistersAtOnce; ++v) {
    const auto digits = [&](int i) { return vreinterpretq_s8_u8(trits[v].field[i]); };
    int32x4_t sum = sums[v].v;
    sum = vdotq_laneq_s32(sum, digits(0), step, 0);
    sum = vdotq_laneq_s32(sum, digits(1), step, 1);
    sum = vdotq_laneq_s32(sum, digits(2), step, 2);
    sum = vdotq_laneq_s32(sum, digits(3), step, 3);
    if constexpr (layout == TileLayout::t16) {
      std::int32_t last;
      __builtin_memcpy(&last, codes + 16, sizeof last);
      sum = vdotq_s32(sum, digits(4), vreinterpretq_s8_s32(vdupq_n_s32(last)));
    }
    sums[v].v = sum;
  }
}

inline void add_nibbles(RowSums& sums, const Nibbles& nibbles, const std::int8_t* codes) {
  const int8x8_t step = vld1_s8(codes);
  sums.v = vdotq_lane_s32(sums.v, vreinterpretq_s8_u8(nibbles.field[0]), step, 0);
  sums.v = vdotq_lane_s32(sums.v, vreinterpretq_s8_u8(nibbles.field[1]), step, 1);
}

inline void add_products(RowSums& high, RowSums& middle, RowSums& low, const SixBits& bits,
                         const FixedPointInputs& x, std::size_t part) {
  const auto add_quads = [](int32x4_t sum, int8x16_t codes, int8x16_t digits, std::int32_t scale) {
    return vmlaq_n_s32(sum, vdotq_s32(vdupq_n_s32(0), codes, digits), scale);
  };
  add_products_by(add_quads, high, middle, low, bits, x, part);
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/nibble_dot-inl.h"
#include "kernels/simd_accumulate-inl.h"
