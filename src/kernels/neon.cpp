// SPDX-License-Identifier: MIT
// NEON with the dot-product extension: Armv8.2 on (Cortex-A55/A75, Neoverse, Apple M1 and later). A
// quarter of a tile (4 rows) per register.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
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
inline void store(double* p, const Doubles& x) {
  for (int i = 0; i < 8; ++i) vst1q_f64(p + 2 * i, x.eighth[i]);
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
  for (int i = 0; i < 4; ++i)
    sum.quarter[i] = vdotq_s32(sum.quarter[i], x.quarter[i], vdupq_n_s8(1));
  return sum;
}
inline std::int32_t sum_lanes(const Ints& x) {
  return vaddvq_s32(
      vaddq_s32(vaddq_s32(x.quarter[0], x.quarter[1]), vaddq_s32(x.quarter[2], x.quarter[3])));
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
constexpr std::size_t kMaxTokens = 4;  // 8 sums and 10 digit registers of the 32

struct RowSums {
  int32x4_t v;
};
template <TileLayout layout>
struct Trits {
  uint8x16_t field[TileGeometry<layout>::kFields];
};

inline RowSums zero_sums() { return {vdupq_n_s32(0)}; }
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

template <TileLayout layout>
inline void dot(RowSums (&sums)[kRegistersAtOnce], const Trits<layout> (&trits)[kRegistersAtOnce],
                const std::int8_t* codes) {
  for (std::size_t i = 0; i < TileGeometry<layout>::kFields; ++i) {
    std::int32_t four_codes;
    __builtin_memcpy(&four_codes, codes + 4 * i, 4);
    const int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(four_codes));
    for (std::size_t v = 0; v < kRegistersAtOnce; ++v) {
      sums[v].v = vdotq_s32(sums[v].v, vreinterpretq_s8_u8(trits[v].field[i]), four);
    }
  }
}

// 4-bit codes.
constexpr std::size_t kNibbleRegisters = 4;
struct Nibbles {
  uint8x16_t first, second;
};
inline Nibbles split_nibbles(const std::uint8_t* bytes) {
  const uint8x16_t packed = vld1q_u8(bytes);
  return {vandq_u8(packed, vdupq_n_u8(15)), vshrq_n_u8(packed, 4)};
}
inline void add_nibbles(RowSums& sums, Nibbles nibbles, const std::int8_t* codes) {
  std::int32_t four[2];
  __builtin_memcpy(four, codes, sizeof four);
  sums.v = vdotq_s32(sums.v, vreinterpretq_s8_u8(nibbles.first),
                     vreinterpretq_s8_s32(vdupq_n_s32(four[0])));
  sums.v = vdotq_s32(sums.v, vreinterpretq_s8_u8(nibbles.second),
                     vreinterpretq_s8_s32(vdupq_n_s32(four[1])));
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

std::uint64_t dot_probe(std::size_t rounds) {
  constexpr std::size_t kChains = 16;
  const int8x16_t digits = vdupq_n_s8(1);
  int32x4_t sums[kChains] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (int32x4_t& sum : sums) {
      sum = vdotq_s32(sum, digits, digits);
      asm volatile("" : "+w"(sum));  // keep each chain, and each of its rounds
    }
  }
  return rounds * kChains * 16;
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/nibble_dot-inl.h"
#include "kernels/simd_accumulate-inl.h"

// The vocabulary above, put to use.
#include "kernels/kernel_table-inl.h"

namespace bitnet::kernels {
constinit const KernelTable kNeonTable = make_table("neon", Isa::neon);
}
