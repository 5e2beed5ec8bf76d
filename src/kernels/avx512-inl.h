// SPDX-License-Identifier: MIT
// AVX-512 F, BW, DQ, VL and VNNI: Intel Cascade Lake and AMD Zen 4 on. A whole tile (16 rows) per
// register. With VBMI (Ice Lake, Zen 4 on) there are byte permutations: t16p takes one a trit, t16
// one for four.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/lane_sums_x86-inl.h"
#include "ternary/permuted_trits.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

// Sixteen lanes of each type.
struct Floats {
  __m512 v;
};
struct Bits {
  __m512i v;
};
struct Ints {
  __m512i v;
};
struct Doubles {
  __m512d low, high;
};
struct Codes {  // 64 int8
  __m512i v;
};

inline Floats splat(float x) { return {_mm512_set1_ps(x)}; }
inline Bits zero_bits() { return {_mm512_setzero_si512()}; }
inline Ints zero_ints() { return {_mm512_setzero_si512()}; }
inline Doubles zero_doubles() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }

inline Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, Floats x) { _mm512_storeu_ps(p, x.v); }

inline Floats add(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Floats subtract(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Floats multiply(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
/// a * b + c, rounded once.
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Floats divide(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }

inline Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Floats min(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }

inline float add_lanes(Floats x) {
  return add_lanes(_mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1)));
}
inline float largest_lane(Floats x) {
  return largest_lane(_mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1)));
}
inline double add_lanes(Doubles x) {
  const __m512d eight = _mm512_add_pd(x.low, x.high);
  return add_lanes(_mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1)));
}

inline Bits magnitude_bits(Floats x) {
  return {_mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(0x7fffffff))};
}
inline Bits max(Bits a, Bits b) { return {_mm512_max_epu32(a.v, b.v)}; }
inline bool any_above(Bits x, Bits limit) { return _mm512_cmpgt_epu32_mask(x.v, limit.v) != 0; }
inline std::uint32_t largest_lane(Bits x) { return _mm512_reduce_max_epu32(x.v); }

inline Ints round_half_even(Floats x) { return {_mm512_cvtps_epi32(x.v)}; }
// Adds the largest float below one half with x's sign, then truncates (scalar.cpp says why).
inline Ints round_half_away(Floats x) {
  const __m512 sign = _mm512_and_ps(x.v, _mm512_set1_ps(-0.0F));
  return {
      _mm512_cvttps_epi32(_mm512_add_ps(x.v, _mm512_or_ps(sign, _mm512_set1_ps(0x1.fffffep-2F))))};
}
// Saturating packs keep what exceeds int8 at its end, so that the limits can be applied to bytes.
// They interleave 128-bit quarters; a last permutation puts the dwords in order.
inline Codes narrow(const Ints (&x)[4], int limit) {
  const __m512i words_0 = _mm512_packs_epi32(x[0].v, x[1].v);
  const __m512i words_1 = _mm512_packs_epi32(x[2].v, x[3].v);
  const __m512i bytes = _mm512_packs_epi16(words_0, words_1);
  const __m512i upper = _mm512_set1_epi8(static_cast<char>(limit));
  const __m512i lower = _mm512_set1_epi8(static_cast<char>(-limit));
  const __m512i clamped = _mm512_max_epi8(_mm512_min_epi8(bytes, upper), lower);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return {_mm512_permutexvar_epi32(order, clamped)};
}
inline void store(std::int8_t* p, Codes x) { _mm512_storeu_si512(p, x.v); }
inline Ints add_codes(Ints sum, Codes x) {
  return {_mm512_dpbusd_epi32(sum.v, _mm512_set1_epi8(1), x.v)};
}
inline std::int32_t sum_lanes(Ints x) { return _mm512_reduce_add_epi32(x.v); }
inline Ints load_int8(const std::int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline Floats to_floats(Ints x) { return {_mm512_cvtepi32_ps(x.v)}; }
inline Ints add(Ints a, Ints b) { return {_mm512_add_epi32(a.v, b.v)}; }
template <int bits>
inline Ints shift_left(Ints x) {
  return {_mm512_slli_epi32(x.v, bits)};
}

inline Floats scale_by_power(Floats x, Ints n) {
  return {
      _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x.v), _mm512_slli_epi32(n.v, 23)))};
}

inline Doubles add_magnitudes(Doubles sum, Floats x) {
  const __m512 magnitude = _mm512_castsi512_ps(
      _mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(0x7fffffff)));
  return {_mm512_add_pd(sum.low, _mm512_cvtps_pd(_mm512_castps512_ps256(magnitude))),
          _mm512_add_pd(sum.high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(magnitude, 1)))};
}
/// Returns how many of the trits are zero.
inline std::size_t store_digits(std::uint8_t* p, Floats w, Floats threshold) {
  const __m512 negative = _mm512_xor_ps(threshold.v, _mm512_set1_ps(-0.0F));
  const __mmask16 above = _mm512_cmp_ps_mask(w.v, threshold.v, _CMP_GE_OQ);
  const __mmask16 below = _mm512_cmp_ps_mask(w.v, negative, _CMP_LE_OQ);
  const __m128i one = _mm_set1_epi8(1);
  const __m128i digits = _mm_mask_mov_epi8(_mm_mask_mov_epi8(one, above, _mm_set1_epi8(2)), below,
                                           _mm_setzero_si128());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), digits);
  return 16 - static_cast<std::size_t>(__builtin_popcount(above | below));
}

inline __m256i load_256(const std::uint16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store_256(std::uint16_t* p, __m256i x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
}
inline float widen_f16(std::uint16_t half) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}
inline Floats load_f16(const std::uint16_t* p) { return {_mm512_cvtph_ps(load_256(p))}; }
inline void store_f16(std::uint16_t* p, Floats x) {
  store_256(p, _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT));
}
inline Floats load_bf16(const std::uint16_t* p) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_256(p)), 16))};
}
// By integers: the conversion instruction of AVX512_BF16 flushes subnormals.
inline void store_bf16(std::uint16_t* p, Floats x) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i top = _mm512_srli_epi32(bits, 16);
  const __m512i bias =
      _mm512_add_epi32(_mm512_and_si512(top, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7fff));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
  const __mmask16 is_nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
  const __m512i result = _mm512_mask_or_epi32(rounded, is_nan, top, _mm512_set1_epi32(0x40));
  store_256(p, _mm512_cvtepi32_epi16(result));
}

constexpr std::size_t kFloatsAtOnce = 4;  // times four rows: 16 of 32 registers

// Ternary product: 16 rows per register.
constexpr std::size_t kRowLanes = 16;
constexpr std::size_t kRegistersAtOnce = 2;
constexpr std::size_t kMaxTokens = 8;  // 16 sums and 10 digit registers of the 32

struct RowSums {
  __m512i v;
};
template <TileLayout layout>
struct Trits {
  __m512i field[TileGeometry<layout>::kFields];
};

inline RowSums zero_sums() { return {_mm512_setzero_si512()}; }
inline void store(std::int32_t* p, RowSums sums) { _mm512_storeu_si512(p, sums.v); }
inline RowSums load_sums(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
inline RowSums interleave_low(RowSums a, RowSums b) {
  const __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return {_mm512_permutex2var_epi32(a.v, order, b.v)};
}
inline RowSums interleave_high(RowSums a, RowSums b) {
  const __m512i order =
      _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return {_mm512_permutex2var_epi32(a.v, order, b.v)};
}
inline void add_to(std::int32_t* p, RowSums sums) {
  _mm512_storeu_si512(p, _mm512_add_epi32(_mm512_loadu_si512(p), sums.v));
}
inline __m512i load_tile(const std::uint8_t* bytes) { return _mm512_loadu_si512(bytes); }
inline __m512i broadcast_codes(const std::int8_t* codes) {
  std::int32_t four_codes;
  __builtin_memcpy(&four_codes, codes, 4);
  return _mm512_set1_epi32(four_codes);
}

// min over unsigned bytes of (x, x - p, x - 2p, wrapping) = x mod p for x < 3p <= 243: a difference
// that wraps is at least 256 - 2p > x wherever it must not win.
inline __m512i modulo(__m512i x, char p) {
  const __m512i once = _mm512_sub_epi8(x, _mm512_set1_epi8(p));
  const __m512i twice = _mm512_sub_epi8(x, _mm512_set1_epi8(static_cast<char>(2 * p)));
  return _mm512_min_epu8(x, _mm512_min_epu8(once, twice));
}

#if defined(__AVX512VBMI__)
// four_digits[x], x < 81: the base-3 digits of x as four 2-bit fields, lowest first.
struct FourDigits {
  alignas(64) std::uint8_t bytes[128];
};
constexpr FourDigits make_four_digits() {
  FourDigits table{};
  for (unsigned x = 0; x < 81; ++x) {
    table.bytes[x] =
        static_cast<std::uint8_t>(x % 3 | (x / 3 % 3) << 2 | (x / 9 % 3) << 4 | (x / 27) << 6);
  }
  return table;
}
constexpr FourDigits kFourDigits = make_four_digits();

/// The four low trits of bytes below 81 as 2-bit fields: a t2 byte.
inline __m512i four_fields(__m512i below_81) {
  return _mm512_permutex2var_epi8(_mm512_load_si512(kFourDigits.bytes), below_81,
                                  _mm512_load_si512(kFourDigits.bytes + 64));
}
#else
/// The same by byte shuffles of two halves: x = 9 h + l, each digit pair looked up as one nibble.
inline __m512i four_fields(__m512i below_81) {
  // l = x mod 9 by two reductions; x - l = 9 h <= 72 and its low nibble 9 h mod 16 names h.
  const __m512i pair =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 0, 0, 0, 0, 0, 0, 0));
  const __m512i pair_of_nines = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, 0, 0x20, 0, 0x50, 0, -0x80, 0, -0x60, 0x10, 0, 0x40, 0, 0x60, 0, -0x70));
  const __m512i low = modulo(modulo(below_81, 27), 9);
  return _mm512_or_si512(_mm512_shuffle_epi8(pair, low),
                         _mm512_shuffle_epi8(pair_of_nines, _mm512_sub_epi8(below_81, low)));
}
#endif

/// Four 2-bit fields of each byte as digits.
inline void split_fields(__m512i packed, __m512i* field) {
  const __m512i mask = _mm512_set1_epi8(3);
  field[0] = _mm512_and_si512(packed, mask);
  field[1] = _mm512_and_si512(_mm512_srli_epi16(packed, 2), mask);
  field[2] = _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask);
  field[3] = _mm512_and_si512(_mm512_srli_epi16(packed, 6), mask);
}

#if defined(__AVX512VBMI__)
// Digit i of t16p by its view (permuted_trits.h).
struct DigitsByView {
  alignas(64) std::uint8_t digit[5][64];
};
constexpr DigitsByView kDigitsByView = [] {
  DigitsByView table{};
  for (std::size_t point = 0; point < 64; ++point) {
    const int low = kPermutedLow[point] - '0';
    const int high = kPermutedHigh[point] - '0';
    const int outer = kPermutedOuter[point] - '0';
    const int digits[] = {low % 3, low / 3, high % 3, high / 3, outer};
    for (std::size_t i = 0; i < 5; ++i) {
      table.digit[i][point] = static_cast<std::uint8_t>(digits[i]);
    }
  }
  return table;
}();

/// vpermb reads the low six bits of a byte: the low view as it is, the high one where a shift of
/// words has put it, whatever comes with it from the byte above.
inline void look_up_digits(__m512i packed, __m512i* field) {
  const __m512i high = _mm512_srli_epi16(packed, 2);
  constexpr int kFirstSelects = 0xca;  // a ? b : c, bit by bit
  const __m512i outer =
      _mm512_ternarylogic_epi32(_mm512_set1_epi8(15), packed, high, kFirstSelects);
  const __m512i views[] = {packed, packed, high, high, outer};
  for (std::size_t i = 0; i < 5; ++i) {
    field[i] = _mm512_permutexvar_epi8(views[i], _mm512_load_si512(kDigitsByView.digit[i]));
  }
}
#endif

template <TileLayout layout>
inline Trits<layout> decode(const std::uint8_t* bytes) {
  const __m512i packed = load_tile(bytes);
  Trits<layout> trits;
  if constexpr (layout == TileLayout::t2) {
    split_fields(packed, trits.field);
#if defined(__AVX512VBMI__)
  } else if constexpr (layout == TileLayout::t16p) {
    look_up_digits(packed, trits.field);
#endif
  } else {
    const __m512i below_81 = modulo(packed, 81);
    split_fields(four_fields(below_81), trits.field);
    // 81 = 1 and 162 = 2 (mod 4).
    trits.field[4] = _mm512_and_si512(_mm512_sub_epi8(packed, below_81), _mm512_set1_epi8(3));
  }
  return trits;
}

template <TileLayout layout>
inline void dot_field(RowSums (&sums)[kRegistersAtOnce],
                      const Trits<layout> (&trits)[kRegistersAtOnce], std::size_t i,
                      const std::int8_t* codes) {
  const __m512i four = broadcast_codes(codes + 4 * i);
  for (std::size_t v = 0; v < kRegistersAtOnce; ++v) {
    sums[v].v = _mm512_dpbusd_epi32(sums[v].v, trits[v].field[i], four);
  }
}

template <TileLayout layout>
inline void dot(RowSums (&sums)[kRegistersAtOnce], const Trits<layout> (&trits)[kRegistersAtOnce],
                const std::int8_t* codes) {
  for (std::size_t i = 0; i < TileGeometry<layout>::kFields; ++i) {
    dot_field<layout>(sums, trits, i, codes);
  }
}

// For one token the loop is bound by unpacking, so fields of t2 and t16 are left where they lie in
// the byte: four masks without shifts, one accumulator per field, each exactly 1, 4, 16, 64 (and
// 81) times too large.
struct FieldSums {
  __m512i field[5];
};

inline void add_fields(FieldSums& sums, __m512i packed, const __m512i* codes) {
  for (int i = 0; i < 4; ++i) {
    const __m512i mask = _mm512_set1_epi8(static_cast<char>(3 << (2 * i)));
    sums.field[i] = _mm512_dpbusd_epi32(sums.field[i], _mm512_and_si512(packed, mask), codes[i]);
  }
}

template <TileLayout layout>
inline void add_step(FieldSums& sums, __m512i packed, const __m512i* codes) {
  if constexpr (layout == TileLayout::t2) {
    add_fields(sums, packed, codes);
#if defined(__AVX512VBMI__)
  } else if constexpr (layout == TileLayout::t16p) {
    __m512i digits[5];
    look_up_digits(packed, digits);
    for (int i = 0; i < 5; ++i) {
      sums.field[i] = _mm512_dpbusd_epi32(sums.field[i], digits[i], codes[i]);
    }
#endif
  } else {
    const __m512i below_81 = modulo(packed, 81);
    add_fields(sums, four_fields(below_81), codes);
    sums.field[4] = _mm512_dpbusd_epi32(sums.field[4], _mm512_sub_epi8(packed, below_81), codes[4]);
  }
}

// The divisions are exact: by shifts, and by 81's inverse modulo 2^32.
template <TileLayout layout>
inline __m512i total(FieldSums sums) {
  auto& field = sums.field;
  if constexpr (layout != TileLayout::t16p) {
    constexpr int kInverseOf81 = 0x781948B1;
    static_assert(81U * static_cast<unsigned>(kInverseOf81) == 1U);
    field[1] = _mm512_srai_epi32(field[1], 2);
    field[2] = _mm512_srai_epi32(field[2], 4);
    field[3] = _mm512_srai_epi32(field[3], 6);
    field[4] = _mm512_mullo_epi32(field[4], _mm512_set1_epi32(kInverseOf81));
  }
  const __m512i low = _mm512_add_epi32(field[0], field[1]);
  const __m512i high = _mm512_add_epi32(field[2], field[3]);
  return _mm512_add_epi32(_mm512_add_epi32(low, high), field[4]);
}

// 6-bit codes, q6_k's. vpdpbusd multiplies by an unsigned operand: the middle and low digits, or
// codes with their offset of 32, which the inputs' sums then take off again. Four products stay
// within int16, so that vpdpwssd multiplies them by a sub-scale, in the lower half of its dword.
struct SixBits {
  __m512i offset_codes, codes, scales;
};
inline SixBits six_bits(const std::uint8_t* low_bits, const std::uint8_t* upper_bits,
                        const std::int8_t* sub_scales, std::size_t chunk, std::size_t /*part*/) {
  const __m512i nibbles = _mm512_loadu_si512(low_bits);
  const __m512i upper =
      _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper_bits)));
  const bool is_low = chunk % 2 == 0;
  // Of inputs 0 to 31 and 32 to 63.
  const __m512i shifts =
      _mm512_inserti64x4(_mm512_set1_epi32(is_low ? 4 : 0), _mm256_set1_epi32(2), 1);
  const __m512i four_low = is_low ? nibbles : _mm512_srli_epi16(nibbles, 4);
  const __m512i two_high =
      _mm512_and_si512(is_low ? _mm512_sllv_epi32(upper, shifts) : _mm512_srlv_epi32(upper, shifts),
                       _mm512_set1_epi8(48));
  constexpr int kMaskedOr = 0xea;  // a & b | c
  const __m512i offset_codes =
      _mm512_ternarylogic_epi32(_mm512_set1_epi8(15), four_low, two_high, kMaskedOr);
  const __m512i words = _mm512_and_si512(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sub_scales))),
      _mm512_set1_epi32(0xffff));
  const __m512i of_lanes =
      _mm512_add_epi32(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
                       _mm512_set1_epi32(static_cast<int>(4 * chunk)));
  return {offset_codes, _mm512_sub_epi8(offset_codes, _mm512_set1_epi8(32)),
          _mm512_permutexvar_epi32(of_lanes, words)};
}
inline void add_products(RowSums& high, RowSums& middle, RowSums& low, const SixBits& bits,
                         const FixedPointInputs& x, std::size_t /*part*/) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i of_high = _mm512_dpbusd_epi32(_mm512_load_si512(x.minus_32_high_sums),
                                              bits.offset_codes, _mm512_load_si512(x.high));
  const __m512i of_middle = _mm512_dpbusd_epi32(zero, _mm512_load_si512(x.middle), bits.codes);
  const __m512i of_low = _mm512_dpbusd_epi32(zero, _mm512_load_si512(x.low), bits.codes);
  high.v = _mm512_dpwssd_epi32(high.v, of_high, bits.scales);
  middle.v = _mm512_dpwssd_epi32(middle.v, of_middle, bits.scales);
  low.v = _mm512_dpwssd_epi32(low.v, of_low, bits.scales);
}
inline Ints join(const RowSums (&parts)[1]) { return {parts[0].v}; }

// 4-bit codes.
constexpr std::size_t kNibbleRegisters = 2;
struct Nibbles {
  __m512i first, second;
};
inline Nibbles split_nibbles(const std::uint8_t* bytes) {
  const __m512i packed = load_tile(bytes);
  const __m512i mask = _mm512_set1_epi8(15);
  return {_mm512_and_si512(packed, mask), _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask)};
}
inline void add_nibbles(RowSums& sums, Nibbles nibbles, const std::int8_t* codes) {
  sums.v = _mm512_dpbusd_epi32(sums.v, nibbles.first, broadcast_codes(codes));
  sums.v = _mm512_dpbusd_epi32(sums.v, nibbles.second, broadcast_codes(codes + 4));
}

std::uint64_t read_probe(const void* memory, std::size_t n) {
  const auto* vectors = static_cast<const __m512i*>(memory);
  __m512i any[4] = {};
  for (std::size_t i = 0; i + 4 <= n / sizeof(__m512i); i += 4) {
    for (std::size_t j = 0; j < 4; ++j) {
      any[j] = _mm512_or_si512(any[j], _mm512_loadu_si512(vectors + i + j));
    }
  }
  const __m512i all =
      _mm512_or_si512(_mm512_or_si512(any[0], any[1]), _mm512_or_si512(any[2], any[3]));
  return static_cast<std::uint64_t>(_mm512_reduce_or_epi64(all));
}

std::uint64_t dot_probe(std::size_t rounds) {
  constexpr std::size_t kChains = 16;
  const __m512i digits = _mm512_set1_epi8(1);
  __m512i sums[kChains] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (__m512i& sum : sums) {
      sum = _mm512_dpbusd_epi32(sum, digits, digits);
      asm volatile("" : "+v"(sum));  // keep each chain, and each of its rounds
    }
  }
  return rounds * kChains * 64;
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/nibble_dot-inl.h"
#include "kernels/simd_accumulate-inl.h"

namespace bitnet::kernels {
namespace {

template <TileLayout layout>
inline void accumulate_one_token(const std::uint8_t* panel, std::size_t first_input,
                                 std::size_t inputs, const std::int8_t* codes, std::size_t prefetch,
                                 std::int32_t* sums) {
  using Geometry = TileGeometry<layout>;
  const std::size_t steps = inputs / Geometry::kStepInputs;
  panel += first_input / Geometry::kStepInputs * kPanelStepBytes;
  codes += first_input;
  FieldSums upper = {};
  FieldSums lower = {};
  for (std::size_t step = 0; step < steps; ++step) {
    __m512i broadcast[Geometry::kFields];
    for (std::size_t i = 0; i < Geometry::kFields; ++i) {
      broadcast[i] = broadcast_codes(codes + 4 * i);
    }
    prefetch_ahead<kTileBytes>(panel, prefetch);
    add_step<layout>(upper, load_tile(panel), broadcast);
    prefetch_ahead<kTileBytes>(panel + kTileBytes, prefetch);
    add_step<layout>(lower, load_tile(panel + kTileBytes), broadcast);
    panel += kPanelStepBytes;
    codes += Geometry::kStepInputs;
  }
  _mm512_storeu_si512(sums, total<layout>(upper));
  _mm512_storeu_si512(sums + kTileRows, total<layout>(lower));
}

/// Preferred for one token to what simd_accumulate-inl.h has for any number.
template <TileLayout layout, std::size_t M>
requires(M == 1) inline void accumulate(const std::uint8_t* panel, std::size_t first_input,
                                        std::size_t inputs, const std::int8_t* codes,
                                        std::size_t /*stride*/, std::size_t prefetch,
                                        std::int32_t (*sums)[kPanelRows]) {
  accumulate_one_token<layout>(panel, first_input, inputs, codes, prefetch, sums[0]);
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/kernel_table-inl.h"
#include "kernels/q6_k_tile-inl.h"
#include "kernels/unpacked_gemm-inl.h"
