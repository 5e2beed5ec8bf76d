// SPDX-License-Identifier: MIT
// The vocabulary of every NEON variant (neon.cpp, neon_dotprod.cpp, neon_i8mm.cpp), in which they
// differ only by how digits meet codes. A quarter of a tile (4 rows) per register.
//
// What they cost is counted in instructions, as no Arm machine was at hand (docs/performance.md).
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/interleave-inl.h"
#include "kernels/kernel_table.h"
#include "kernels/table_scratch.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

// Sixteen lanes of each type.
struct Floats {
  float32x4_t quarter[4];
};
struct Bits {
  uint32x4_t quarter[4];
};
struct Ints {
  int32x4_t quarter[4];
};
struct Doubles {
  float64x2_t eighth[8];
};
struct Codes {  // 64 int8
  int8x16_t quarter[4];
};

inline Floats splat(float x) {
  const float32x4_t four = vdupq_n_f32(x);
  return {{four, four, four, four}};
}
inline Bits zero_bits() {
  const uint32x4_t zero = vdupq_n_u32(0);
  return {{zero, zero, zero, zero}};
}
inline Ints zero_ints() {
  const int32x4_t zero = vdupq_n_s32(0);
  return {{zero, zero, zero, zero}};
}
inline Doubles zero_doubles() {
  const float64x2_t zero = vdupq_n_f64(0);
  return {{zero, zero, zero, zero, zero, zero, zero, zero}};
}

inline Floats load(const float* p) {
  return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
}
inline void store(float* p, const Floats& x) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, x.quarter[i]);
}

inline Floats add(Floats a, const Floats& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vaddq_f32(a.quarter[i], b.quarter[i]);
  return a;
}
inline Floats subtract(Floats a, const Floats& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vsubq_f32(a.quarter[i], b.quarter[i]);
  return a;
}
inline Floats multiply(Floats a, const Floats& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vmulq_f32(a.quarter[i], b.quarter[i]);
  return a;
}
/// a * b + c, rounded once.
inline Floats multiply_add(const Floats& a, const Floats& b, Floats c) {
  for (int i = 0; i < 4; ++i) c.quarter[i] = vfmaq_f32(c.quarter[i], a.quarter[i], b.quarter[i]);
  return c;
}
inline Floats divide(Floats a, const Floats& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vdivq_f32(a.quarter[i], b.quarter[i]);
  return a;
}

inline Floats max(Floats a, const Floats& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vmaxq_f32(a.quarter[i], b.quarter[i]);
  return a;
}
inline Floats min(Floats a, const Floats& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vminq_f32(a.quarter[i], b.quarter[i]);
  return a;
}

// Lane i + lane i + 8, then + 4, + 2, + 1.
inline float add_lanes(const Floats& x) {
  const float32x4_t four =
      vaddq_f32(vaddq_f32(x.quarter[0], x.quarter[2]), vaddq_f32(x.quarter[1], x.quarter[3]));
  return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}
inline float largest_lane(const Floats& x) {
  return vmaxvq_f32(
      vmaxq_f32(vmaxq_f32(x.quarter[0], x.quarter[1]), vmaxq_f32(x.quarter[2], x.quarter[3])));
}
inline double add_lanes(const Doubles& x) {
  float64x2_t four[4];
  for (int i = 0; i < 4; ++i) four[i] = vaddq_f64(x.eighth[i], x.eighth[i + 4]);
  return vpaddd_f64(vaddq_f64(vaddq_f64(four[0], four[2]), vaddq_f64(four[1], four[3])));
}

inline Bits magnitude_bits(const Floats& x) {
  Bits r;
  for (int i = 0; i < 4; ++i) {
    r.quarter[i] = vandq_u32(vreinterpretq_u32_f32(x.quarter[i]), vdupq_n_u32(0x7fffffff));
  }
  return r;
}
inline Bits max(Bits a, const Bits& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vmaxq_u32(a.quarter[i], b.quarter[i]);
  return a;
}
inline bool any_above(const Bits& x, const Bits& limit) {
  uint32x4_t above = vcgtq_u32(x.quarter[0], limit.quarter[0]);
  for (int i = 1; i < 4; ++i) above = vorrq_u32(above, vcgtq_u32(x.quarter[i], limit.quarter[i]));
  return vmaxvq_u32(above) != 0;
}
inline std::uint32_t largest_lane(const Bits& x) {
  return vmaxvq_u32(
      vmaxq_u32(vmaxq_u32(x.quarter[0], x.quarter[1]), vmaxq_u32(x.quarter[2], x.quarter[3])));
}

inline Ints round_half_even(const Floats& x) {
  Ints r;
  for (int i = 0; i < 4; ++i) r.quarter[i] = vcvtnq_s32_f32(x.quarter[i]);
  return r;
}
inline Ints round_half_away(const Floats& x) {
  Ints r;
  for (int i = 0; i < 4; ++i) r.quarter[i] = vcvtaq_s32_f32(x.quarter[i]);
  return r;
}
// Saturating narrowing keeps what exceeds int8 at its end, so that the limits can be applied to
// bytes.
inline int8x16_t narrow_to_bytes(const Ints& x) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(x.quarter[0]), x.quarter[1]);
  const int16x8_t high = vqmovn_high_s32(vqmovn_s32(x.quarter[2]), x.quarter[3]);
  return vqmovn_high_s16(vqmovn_s16(low), high);
}
inline Codes narrow(const Ints (&x)[4], int limit) {
  const int8x16_t upper = vdupq_n_s8(static_cast<std::int8_t>(limit));
  const int8x16_t lower = vdupq_n_s8(static_cast<std::int8_t>(-limit));
  Codes codes;
  for (int i = 0; i < 4; ++i) {
    codes.quarter[i] = vmaxq_s8(vminq_s8(narrow_to_bytes(x[i]), upper), lower);
  }
  return codes;
}
inline void store(std::int8_t* p, const Codes& x) {
  for (int i = 0; i < 4; ++i) vst1q_s8(p + 16 * i, x.quarter[i]);
}
inline Ints add_codes(Ints sum, const Codes& x) {
  for (int i = 0; i < 4; ++i) {
    sum.quarter[i] = vpadalq_s16(sum.quarter[i], vpaddlq_s8(x.quarter[i]));
  }
  return sum;
}
inline std::int32_t sum_lanes(const Ints& x) {
  return vaddvq_s32(
      vaddq_s32(vaddq_s32(x.quarter[0], x.quarter[1]), vaddq_s32(x.quarter[2], x.quarter[3])));
}
inline Ints add(Ints a, const Ints& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vaddq_s32(a.quarter[i], b.quarter[i]);
  return a;
}
template <int bits>
inline Ints shift_left(Ints x) {
  for (int32x4_t& quarter : x.quarter) quarter = vshlq_n_s32(quarter, bits);
  return x;
}
inline Ints load_int8(const std::int8_t* p) {
  const int8x16_t bytes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
  const int16x8_t high = vmovl_high_s8(bytes);
  return {{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
           vmovl_high_s16(high)}};
}
inline Floats to_floats(const Ints& x) {
  Floats r;
  for (int i = 0; i < 4; ++i) r.quarter[i] = vcvtq_f32_s32(x.quarter[i]);
  return r;
}

inline Floats scale_by_power(Floats x, const Ints& n) {
  for (int i = 0; i < 4; ++i) {
    x.quarter[i] = vreinterpretq_f32_s32(
        vaddq_s32(vreinterpretq_s32_f32(x.quarter[i]), vshlq_n_s32(n.quarter[i], 23)));
  }
  return x;
}

inline Doubles add_magnitudes(Doubles sum, const Floats& x) {
  for (int i = 0; i < 4; ++i) {
    const float32x4_t magnitude = vabsq_f32(x.quarter[i]);
    sum.eighth[2 * i] = vaddq_f64(sum.eighth[2 * i], vcvt_f64_f32(vget_low_f32(magnitude)));
    sum.eighth[2 * i + 1] = vaddq_f64(sum.eighth[2 * i + 1], vcvt_high_f64_f32(magnitude));
  }
  return sum;
}
// A comparison is -1 where true: 1 - [w >= t] + [w <= -t] with that sign gives the digit. Returns
// how many of the trits are zero.
inline std::size_t store_digits(std::uint8_t* p, const Floats& w, const Floats& threshold) {
  Ints digits;
  for (int i = 0; i < 4; ++i) {
    const int32x4_t above = vreinterpretq_s32_u32(vcgeq_f32(w.quarter[i], threshold.quarter[i]));
    const int32x4_t below =
        vreinterpretq_s32_u32(vcleq_f32(w.quarter[i], vnegq_f32(threshold.quarter[i])));
    digits.quarter[i] = vaddq_s32(vsubq_s32(vdupq_n_s32(1), above), below);
  }
  const uint8x16_t bytes = vreinterpretq_u8_s8(narrow_to_bytes(digits));
  vst1q_u8(p, bytes);
  return vaddvq_u8(vandq_u8(bytes, vdupq_n_u8(1)));  // digit 1 alone is odd
}

inline float widen_f16(std::uint16_t half) {
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(half))), 0);
}
inline Floats load_f16(const std::uint16_t* p) {
  Floats r;
  for (int i = 0; i < 4; ++i) {
    r.quarter[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
  }
  return r;
}
inline void store_f16(std::uint16_t* p, const Floats& x) {
  for (int i = 0; i < 4; ++i) {
    vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.quarter[i])));
  }
}
inline Floats load_bf16(const std::uint16_t* p) {
  Floats r;
  for (int i = 0; i < 4; ++i) {
    r.quarter[i] = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16));
  }
  return r;
}
inline void store_bf16(std::uint16_t* p, const Floats& x) {
  for (int i = 0; i < 4; ++i) {
    const uint32x4_t bits = vreinterpretq_u32_f32(x.quarter[i]);
    const uint32x4_t top = vshrq_n_u32(bits, 16);
    const uint32x4_t bias = vaddq_u32(vandq_u32(top, vdupq_n_u32(1)), vdupq_n_u32(0x7fff));
    const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(bits, bias), 16);
    const uint32x4_t quiet = vorrq_u32(top, vdupq_n_u32(0x40));
    const uint32x4_t is_number = vceqq_f32(x.quarter[i], x.quarter[i]);
    vst1_u16(p + 4 * i, vmovn_u32(vbslq_u32(is_number, rounded, quiet)));
  }
}

constexpr std::size_t kFloatsAtOnce = 1;  // times four rows: 16 of 32 registers

// Ternary product: 4 rows per register.
constexpr std::size_t kRowLanes = 4;
constexpr std::size_t kRegistersAtOnce = 2;

struct RowSums {
  int32x4_t v;
};
template <TileLayout layout>
struct Trits {
  uint8x16_t field[TileGeometry<layout>::kFields];
};

inline RowSums zero_sums() { return {vdupq_n_s32(0)}; }
inline RowSums load_sums(const std::int32_t* p) { return {vld1q_s32(p)}; }
inline RowSums interleave_low(RowSums a, RowSums b) { return {vzip1q_s32(a.v, b.v)}; }
inline RowSums interleave_high(RowSums a, RowSums b) { return {vzip2q_s32(a.v, b.v)}; }
inline void store(std::int32_t* p, RowSums sums) { vst1q_s32(p, sums.v); }

/// The digit of `place` in x < 3 * place, taken off x. A comparison is -1 where true.
template <unsigned place>
inline uint8x16_t take_digit(uint8x16_t& x) {
  const uint8x16_t minus_digit =
      vaddq_u8(vcgeq_u8(x, vdupq_n_u8(place)), vcgeq_u8(x, vdupq_n_u8(2 * place)));
  x = vmlaq_u8(x, minus_digit, vdupq_n_u8(place));
  return vsubq_u8(vdupq_n_u8(0), minus_digit);
}

template <TileLayout layout>
inline Trits<layout> decode(const std::uint8_t* bytes) {
  uint8x16_t packed = vld1q_u8(bytes);
  if constexpr (layout == TileLayout::t2) {
    const uint8x16_t mask = vdupq_n_u8(3);
    return {{vandq_u8(packed, mask), vandq_u8(vshrq_n_u8(packed, 2), mask),
             vandq_u8(vshrq_n_u8(packed, 4), mask), vshrq_n_u8(packed, 6)}};
  } else {
    const uint8x16_t of_81 = take_digit<81>(packed);
    const uint8x16_t of_27 = take_digit<27>(packed);
    const uint8x16_t of_9 = take_digit<9>(packed);
    const uint8x16_t of_3 = take_digit<3>(packed);
    return {{packed, of_3, of_9, of_27, of_81}};
  }
}

// 4-bit codes.
constexpr std::size_t kNibbleRegisters = 4;
struct Nibbles {
  uint8x16_t field[2];
};
inline Nibbles split_nibbles(const std::uint8_t* bytes) {
  const uint8x16_t packed = vld1q_u8(bytes);
  return {{vandq_u8(packed, vdupq_n_u8(15)), vshrq_n_u8(packed, 4)}};
}

// 6-bit codes, q6_k's: 16 inputs of one sub-scale.
struct SixBits {
  int8x16_t codes;
  std::int32_t scale;
};
inline SixBits six_bits(const std::uint8_t* low_bits, const std::uint8_t* upper_bits,
                        const std::int8_t* sub_scales, std::size_t chunk, std::size_t part) {
  const uint8x16_t nibbles = vld1q_u8(low_bits + 16 * part);
  const uint8x16_t upper = vld1q_u8(upper_bits + 16 * (part % 2));
  const bool is_low = chunk % 2 == 0;
  const uint8x16_t four_low = is_low ? vandq_u8(nibbles, vdupq_n_u8(15)) : vshrq_n_u8(nibbles, 4);
  const int shift = (is_low ? 4 : 0) - 2 * static_cast<int>(part / 2);  // to the right if negative
  const uint8x16_t two_high =
      vandq_u8(vshlq_u8(upper, vdupq_n_s8(static_cast<std::int8_t>(shift))), vdupq_n_u8(48));
  return {vsubq_s8(vreinterpretq_s8_u8(vorrq_u8(four_low, two_high)), vdupq_n_s8(32)),
          sub_scales[4 * chunk + part]};
}
/// `add_quads(sum, codes, digits, scale)` adds scale times the products of four neighbours a lane.
template <class AddQuads>
inline void add_products_by(AddQuads add_quads, RowSums& high, RowSums& middle, RowSums& low,
                            const SixBits& bits, const FixedPointInputs& x, std::size_t part) {
  high.v = add_quads(high.v, bits.codes, vld1q_s8(x.high + 16 * part), bits.scale);
  middle.v = add_quads(middle.v, bits.codes, vld1q_s8(x.middle + 16 * part), bits.scale);
  low.v = add_quads(low.v, bits.codes, vld1q_s8(x.low + 16 * part), bits.scale);
}
inline Ints join(const RowSums (&parts)[4]) {
  return {{parts[0].v, parts[1].v, parts[2].v, parts[3].v}};
}

// Products by table lookup: 32 tokens.
struct Words {
  int16x8_t quarter[4];
};
inline Words load(const std::int16_t* p) {
  return {{vld1q_s16(p), vld1q_s16(p + 8), vld1q_s16(p + 16), vld1q_s16(p + 24)}};
}
inline void store(std::int16_t* p, const Words& x) {
  for (int i = 0; i < 4; ++i) vst1q_s16(p + 8 * i, x.quarter[i]);
}
inline Words zero_words() {
  const int16x8_t zero = vdupq_n_s16(0);
  return {{zero, zero, zero, zero}};
}
inline Words add(Words a, const Words& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vaddq_s16(a.quarter[i], b.quarter[i]);
  return a;
}
inline Words subtract(Words a, const Words& b) {
  for (int i = 0; i < 4; ++i) a.quarter[i] = vsubq_s16(a.quarter[i], b.quarter[i]);
  return a;
}
inline Words magnitudes(Words x) {
  for (int16x8_t& quarter : x.quarter) quarter = vabsq_s16(quarter);
  return x;
}
inline bool any_negative(const Words& x) {
  const int16x8_t halves[] = {vorrq_s16(x.quarter[0], x.quarter[1]),
                              vorrq_s16(x.quarter[2], x.quarter[3])};
  return vminvq_s16(vorrq_s16(halves[0], halves[1])) < 0;
}
inline void add_words(std::int32_t* sums, const Words& x) {
  for (int i = 0; i < 4; ++i) {
    std::int32_t* p = sums + 8 * i;
    vst1q_s32(p, vaddw_s16(vld1q_s32(p), vget_low_s16(x.quarter[i])));
    vst1q_s32(p + 4, vaddw_high_s16(vld1q_s32(p + 4), x.quarter[i]));
  }
}

inline void load_transposed(const std::int8_t* const (&rows)[kTableTokens], std::size_t first,
                            Words* x) {
  for (std::size_t half = 0; half < 2; ++half) {
    int8x16_t bytes[16];
    for (std::size_t t = 0; t < 16; ++t) bytes[t] = vld1q_s8(rows[16 * half + t] + first);
    interleave<4>(
        bytes, [](int8x16_t a, int8x16_t b) { return vzip1q_s8(a, b); },
        [](int8x16_t a, int8x16_t b) { return vzip2q_s8(a, b); });
    for (std::size_t k = 0; k < 16; ++k) {
      x[k].quarter[2 * half] = vmovl_s8(vget_low_s8(bytes[k]));
      x[k].quarter[2 * half + 1] = vmovl_high_s8(bytes[k]);
    }
  }
}

// An index is the digits times 1, 3, 9, 27. Half a byte of t2 holds two digits.
inline uint8x16_t t2_indices(uint8x16_t packed) {
  const uint8x16_t of_low = {0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 0, 0, 0, 0};
  const uint8x16_t of_high = {0, 9, 18, 0, 27, 36, 45, 0, 54, 63, 72, 0, 0, 0, 0, 0};
  return vaddq_u8(vqtbl1q_u8(of_low, vandq_u8(packed, vdupq_n_u8(15))),
                  vqtbl1q_u8(of_high, vshrq_n_u8(packed, 4)));
}

template <TileLayout layout>
inline void table_offsets(const std::uint8_t* step_bytes, TableOffsets& offsets) {
  constexpr int kLogTokens = 5;
  static_assert(kTableTokens == 1 << kLogTokens);
  for (std::size_t row = 0; row < kPanelRows; row += kRowLanes) {
    uint8x16_t indices = vld1q_u8(step_bytes + 4 * row);
    if constexpr (layout == TileLayout::t2) {
      indices = t2_indices(indices);
    } else {
      const uint8x16_t places = vreinterpretq_u8_u32(vdupq_n_u32(0x1b090301));  // 1, 3, 9, 27
      const uint8x16_t parts = vmulq_u8(take_digit<81>(indices), places);
      vst1q_u32(offsets.of_top_fields + row,
                vshlq_n_u32(vpaddlq_u16(vpaddlq_u8(parts)), kLogTokens));
    }
    std::uint16_t* of_bytes = offsets.of_bytes[row];
    vst1q_u16(of_bytes, vshll_n_u8(vget_low_u8(indices), kLogTokens));
    vst1q_u16(of_bytes + 8, vshll_high_n_u8(indices, kLogTokens));
  }
}

std::uint64_t read_probe(const void* memory, std::size_t n) {
  const auto* bytes = static_cast<const std::uint8_t*>(memory);
  uint8x16_t any[4] = {};
  for (std::size_t i = 0; i + 64 <= n; i += 64) {
    for (std::size_t j = 0; j < 4; ++j) {
      any[j] = vorrq_u8(any[j], vld1q_u8(bytes + i + 16 * j));
    }
  }
  const uint8x16_t all = vorrq_u8(vorrq_u8(any[0], any[1]), vorrq_u8(any[2], any[3]));
  return vmaxvq_u8(all);
}

}  // namespace
}  // namespace bitnet::kernels
