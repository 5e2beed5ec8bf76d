// SPDX-License-Identifier: MIT
// AVX2, FMA and F16C: Intel Haswell (2013) and AMD Zen on. Half a tile (8 rows) per register.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/lane_sums_x86-inl.h"
#include "kernels/table_scratch.h"
#include "kernels/token_columns-inl.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

// Sixteen lanes of each type.
struct Floats {
  __m256 low, high;
};
struct Bits {
  __m256i low, high;
};
struct Ints {
  __m256i low, high;
};
struct Doubles {
  __m256d quarter[4];
};
struct Codes {  // 64 int8
  __m256i low, high;
};

inline Floats splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline Bits zero_bits() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline Ints zero_ints() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline Doubles zero_doubles() {
  const __m256d zero = _mm256_setzero_pd();
  return {{zero, zero, zero, zero}};
}

inline Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, Floats x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}

inline Floats add(Floats a, Floats b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
inline Floats subtract(Floats a, Floats b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
inline Floats multiply(Floats a, Floats b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
/// a * b + c, rounded once.
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline Floats divide(Floats a, Floats b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}

inline Floats max(Floats a, Floats b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline Floats min(Floats a, Floats b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}

inline float add_lanes(Floats x) { return add_lanes(_mm256_add_ps(x.low, x.high)); }
inline float largest_lane(Floats x) { return largest_lane(_mm256_max_ps(x.low, x.high)); }
inline double add_lanes(const Doubles& x) {
  return add_lanes(_mm256_add_pd(_mm256_add_pd(x.quarter[0], x.quarter[2]),
                                 _mm256_add_pd(x.quarter[1], x.quarter[3])));
}

inline Bits magnitude_bits(Floats x) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  return {_mm256_and_si256(_mm256_castps_si256(x.low), mask),
          _mm256_and_si256(_mm256_castps_si256(x.high), mask)};
}
inline Bits max(Bits a, Bits b) {
  return {_mm256_max_epu32(a.low, b.low), _mm256_max_epu32(a.high, b.high)};
}
// Below 2^31, where signed comparisons hold.
inline bool any_above(Bits x, Bits limit) {
  return _mm256_movemask_epi8(_mm256_or_si256(_mm256_cmpgt_epi32(x.low, limit.low),
                                              _mm256_cmpgt_epi32(x.high, limit.high))) != 0;
}
inline std::uint32_t largest_lane(Bits x) {
  const __m256i eight = _mm256_max_epu32(x.low, x.high);
  __m128i four = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(four));
}

inline Ints round_half_even(Floats x) {
  return {_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)};
}
// Adds the largest float below one half with x's sign, then truncates (scalar.cpp says why).
inline __m256i round_half_away(__m256 x) {
  const __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0F));
  return _mm256_cvttps_epi32(_mm256_add_ps(x, _mm256_or_ps(sign, _mm256_set1_ps(0x1.fffffep-2F))));
}
inline Ints round_half_away(Floats x) { return {round_half_away(x.low), round_half_away(x.high)}; }
// Saturating packs keep what exceeds int8 at its end, so that the limits can be applied to bytes.
// They interleave 128-bit halves; a last permutation puts the dwords in order.
inline __m256i narrow(Ints a, Ints b, int limit) {
  const __m256i words_a = _mm256_packs_epi32(a.low, a.high);
  const __m256i words_b = _mm256_packs_epi32(b.low, b.high);
  const __m256i bytes = _mm256_packs_epi16(words_a, words_b);
  const __m256i upper = _mm256_set1_epi8(static_cast<char>(limit));
  const __m256i lower = _mm256_set1_epi8(static_cast<char>(-limit));
  const __m256i clamped = _mm256_max_epi8(_mm256_min_epi8(bytes, upper), lower);
  return _mm256_permutevar8x32_epi32(clamped, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
inline Codes narrow(const Ints (&x)[4], int limit) {
  return {narrow(x[0], x[1], limit), narrow(x[2], x[3], limit)};
}
inline void store(std::int8_t* p, Codes x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), x.high);
}
inline Ints add_codes(Ints sum, Codes x) {
  const auto add_quads = [](__m256i sums, __m256i bytes) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  };
  return {add_quads(sum.low, x.low), add_quads(sum.high, x.high)};
}
inline std::int32_t sum_lanes(Ints x) {
  const __m256i eight = _mm256_add_epi32(x.low, x.high);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
  return _mm_cvtsi128_si32(four);
}
inline Ints load_int8(const std::int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}
inline __m128i narrow_to_bytes(Ints x) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.low, x.high), 0xd8);
  return _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}
inline Floats to_floats(Ints x) { return {_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)}; }
inline Ints add(Ints a, Ints b) {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
template <int bits>
inline Ints shift_left(Ints x) {
  return {_mm256_slli_epi32(x.low, bits), _mm256_slli_epi32(x.high, bits)};
}

inline Floats scale_by_power(Floats x, Ints n) {
  const auto scale = [](__m256 v, __m256i power) {
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(v), _mm256_slli_epi32(power, 23)));
  };
  return {scale(x.low, n.low), scale(x.high, n.high)};
}

inline Doubles add_magnitudes(Doubles sum, Floats x) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  const __m256 low = _mm256_and_ps(x.low, mask);
  const __m256 high = _mm256_and_ps(x.high, mask);
  const __m128 quarters[4] = {_mm256_castps256_ps128(low), _mm256_extractf128_ps(low, 1),
                              _mm256_castps256_ps128(high), _mm256_extractf128_ps(high, 1)};
  for (int i = 0; i < 4; ++i) {
    sum.quarter[i] = _mm256_add_pd(sum.quarter[i], _mm256_cvtps_pd(quarters[i]));
  }
  return sum;
}
// A comparison is -1 where true: 1 - [w >= t] + [w <= -t] with that sign gives the digit. Returns
// how many of the trits are zero.
inline std::size_t store_digits(std::uint8_t* p, Floats w, Floats threshold) {
  const auto digits = [](__m256 x, __m256 t) {
    const __m256 negative = _mm256_xor_ps(t, _mm256_set1_ps(-0.0F));
    const __m256i above = _mm256_castps_si256(_mm256_cmp_ps(x, t, _CMP_GE_OQ));
    const __m256i below = _mm256_castps_si256(_mm256_cmp_ps(x, negative, _CMP_LE_OQ));
    return _mm256_add_epi32(_mm256_sub_epi32(_mm256_set1_epi32(1), above), below);
  };
  const Ints both = {digits(w.low, threshold.low), digits(w.high, threshold.high)};
  const __m128i bytes = narrow_to_bytes(both);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  const int zeros = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(1)));
  return static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(zeros)));
}

inline __m128i load_128(const std::uint16_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline void store_256(std::uint16_t* p, __m256i x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
}
inline float widen_f16(std::uint16_t half) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}
inline Floats load_f16(const std::uint16_t* p) {
  return {_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(p + 8))};
}
inline void store_f16(std::uint16_t* p, Floats x) {
  store_256(p, _mm256_set_m128i(_mm256_cvtps_ph(x.high, _MM_FROUND_TO_NEAREST_INT),
                                _mm256_cvtps_ph(x.low, _MM_FROUND_TO_NEAREST_INT)));
}
inline Floats load_bf16(const std::uint16_t* p) {
  const auto widen = [](__m128i halves) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  };
  return {widen(load_128(p)), widen(load_128(p + 8))};
}
inline void store_bf16(std::uint16_t* p, Floats x) {
  const auto narrow = [](__m256 floats) {
    const __m256i bits = _mm256_castps_si256(floats);
    const __m256i top = _mm256_srli_epi32(bits, 16);
    const __m256i bias =
        _mm256_add_epi32(_mm256_and_si256(top, _mm256_set1_epi32(1)), _mm256_set1_epi32(0x7fff));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i quiet = _mm256_or_si256(top, _mm256_set1_epi32(0x40));
    const __m256 is_nan = _mm256_cmp_ps(floats, floats, _CMP_UNORD_Q);
    return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(is_nan));
  };
  store_256(p, _mm256_permute4x64_epi64(_mm256_packus_epi32(narrow(x.low), narrow(x.high)), 0xd8));
}

constexpr std::size_t kFloatsAtOnce = 1;  // times four rows: 8 of 16 registers

// Ternary product: 8 rows per register.
constexpr std::size_t kRowLanes = 8;
constexpr std::size_t kRegistersAtOnce = 1;
constexpr std::size_t kMaxTokens = 4;  // 4 sums, 5 digit registers, temporaries: 16 registers

struct RowSums {
  __m256i v;
};
template <TileLayout layout>
struct Trits {
  __m256i field[TileGeometry<layout>::kFields];
};

inline RowSums zero_sums() { return {_mm256_setzero_si256()}; }
inline RowSums load_sums(const std::int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
inline RowSums interleave_low(RowSums a, RowSums b) {
  return {_mm256_permute2x128_si256(_mm256_unpacklo_epi32(a.v, b.v),
                                    _mm256_unpackhi_epi32(a.v, b.v), 0x20)};
}
inline RowSums interleave_high(RowSums a, RowSums b) {
  return {_mm256_permute2x128_si256(_mm256_unpacklo_epi32(a.v, b.v),
                                    _mm256_unpackhi_epi32(a.v, b.v), 0x31)};
}
inline void store(std::int32_t* p, RowSums sums) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), sums.v);
}

// min over unsigned bytes of (x, x - p, x - 2p, wrapping) = x mod p for x < 3p <= 243: a difference
// that wraps is at least 256 - 2p > x wherever it must not win.
inline __m256i modulo(__m256i x, char p) {
  const __m256i once = _mm256_sub_epi8(x, _mm256_set1_epi8(p));
  const __m256i twice = _mm256_sub_epi8(once, _mm256_set1_epi8(p));
  return _mm256_min_epu8(x, _mm256_min_epu8(once, twice));
}

template <TileLayout layout>
inline Trits<layout> decode(const std::uint8_t* bytes) {
  const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  if constexpr (layout == TileLayout::t2) {
    const __m256i mask = _mm256_set1_epi8(3);
    return {{_mm256_and_si256(packed, mask), _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask),
             _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask),
             _mm256_and_si256(_mm256_srli_epi16(packed, 6), mask)}};
  } else {
    // vpshufb looks up the low four bits of an index: 27 & 15 = 11, 54 & 15 = 6, 9, 18 & 15 = 2.
    // The digit of 81 is the low two bits of 81 = 1 (mod 4) and 162 = 2 (mod 4).
    const __m256i of_27 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0));
    const __m256i of_9 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0));
    const __m256i of_3 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0));
    const __m256i of_1 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0));
    const __m256i below_81 = modulo(packed, 81);
    const __m256i below_27 = modulo(below_81, 27);
    const __m256i below_9 = modulo(below_27, 9);
    return {{_mm256_shuffle_epi8(of_1, below_9), _mm256_shuffle_epi8(of_3, below_9),
             _mm256_shuffle_epi8(of_9, _mm256_sub_epi8(below_27, below_9)),
             _mm256_shuffle_epi8(of_27, _mm256_sub_epi8(below_81, below_27)),
             _mm256_and_si256(_mm256_sub_epi8(packed, below_81), _mm256_set1_epi8(3))}};
  }
}

// A digit pair times a code pair is at most 2 * 2 * 128 = 512; five fields add up to 2560: int16
// holds.
template <TileLayout layout>
inline void dot(RowSums (&sums)[kRegistersAtOnce], const Trits<layout> (&trits)[kRegistersAtOnce],
                const std::int8_t* codes) {
  static_assert(kRegistersAtOnce == 1);
  __m256i pairs = _mm256_setzero_si256();
  for (std::size_t i = 0; i < TileGeometry<layout>::kFields; ++i) {
    std::int32_t four_codes;
    __builtin_memcpy(&four_codes, codes + 4 * i, 4);
    pairs = _mm256_add_epi16(
        pairs, _mm256_maddubs_epi16(trits[0].field[i], _mm256_set1_epi32(four_codes)));
  }
  sums[0].v = _mm256_add_epi32(sums[0].v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// 4-bit codes.
constexpr std::size_t kNibbleRegisters = 2;
struct Nibbles {
  __m256i first, second;
};
inline Nibbles split_nibbles(const std::uint8_t* bytes) {
  const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const __m256i mask = _mm256_set1_epi8(15);
  return {_mm256_and_si256(packed, mask), _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask)};
}
// A pair of products is at most 2 * 15 * 128: int16 holds two of them.
inline void add_nibbles(RowSums& sums, Nibbles nibbles, const std::int8_t* codes) {
  std::int32_t four[2];
  __builtin_memcpy(four, codes, sizeof four);
  const __m256i pairs =
      _mm256_add_epi16(_mm256_maddubs_epi16(nibbles.first, _mm256_set1_epi32(four[0])),
                       _mm256_maddubs_epi16(nibbles.second, _mm256_set1_epi32(four[1])));
  sums.v = _mm256_add_epi32(sums.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// 6-bit codes, q6_k's: 32 inputs. vpmaddubsw multiplies by an unsigned operand: the middle and low
// digits, or the codes' magnitudes, whose signs the high digits take over.
struct SixBits {
  __m256i codes, magnitudes, scales;
};
inline SixBits six_bits(const std::uint8_t* low_bits, const std::uint8_t* upper_bits,
                        const std::int8_t* sub_scales, std::size_t chunk, std::size_t part) {
  const __m256i nibbles =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(low_bits + 32 * part));
  const __m256i upper = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper_bits));
  const bool is_low = chunk % 2 == 0;
  const int shift = 2 * static_cast<int>(part);
  const __m256i four_low = is_low ? nibbles : _mm256_srli_epi16(nibbles, 4);
  const __m256i two_high =
      is_low ? _mm256_slli_epi16(upper, 4 - shift) : _mm256_srli_epi16(upper, shift);
  const __m256i offset_codes = _mm256_or_si256(_mm256_and_si256(four_low, _mm256_set1_epi8(15)),
                                               _mm256_and_si256(two_high, _mm256_set1_epi8(48)));
  const __m256i codes = _mm256_sub_epi8(offset_codes, _mm256_set1_epi8(32));
  // Two sub-scales, one for each half, as words: put into upper bytes and shifted down.
  std::int16_t two_scales;
  __builtin_memcpy(&two_scales, sub_scales + 4 * chunk + 2 * part, sizeof two_scales);
  const __m256i upper_bytes = _mm256_set_m128i(_mm_set1_epi16(0x0180), _mm_set1_epi16(0x0080));
  const __m256i scales =
      _mm256_srai_epi16(_mm256_shuffle_epi8(_mm256_set1_epi16(two_scales), upper_bytes), 8);
  return {codes, _mm256_abs_epi8(codes), scales};
}
inline void add_products(RowSums& high, RowSums& middle, RowSums& low, const SixBits& bits,
                         const FixedPointInputs& x, std::size_t part) {
  const auto digits = [&](const std::int8_t* of_chunk) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(of_chunk + 32 * part));
  };
  const auto add_pairs = [&](RowSums& sums, __m256i pairs) {
    sums.v = _mm256_add_epi32(sums.v, _mm256_madd_epi16(pairs, bits.scales));
  };
  add_pairs(high,
            _mm256_maddubs_epi16(bits.magnitudes, _mm256_sign_epi8(digits(x.high), bits.codes)));
  add_pairs(middle, _mm256_maddubs_epi16(digits(x.middle), bits.codes));
  add_pairs(low, _mm256_maddubs_epi16(digits(x.low), bits.codes));
}
inline Ints join(const RowSums (&parts)[2]) { return {parts[0].v, parts[1].v}; }

// Products by table lookup: 32 tokens.
struct Words {
  __m256i low, high;
};
inline __m256i load_words(const std::int16_t* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
inline Words load(const std::int16_t* p) { return {load_words(p), load_words(p + 16)}; }
inline void store(std::int16_t* p, Words x) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), x.low);
  _mm256_store_si256(reinterpret_cast<__m256i*>(p + 16), x.high);
}
inline Words zero_words() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline Words add(Words a, Words b) {
  return {_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
}
inline Words subtract(Words a, Words b) {
  return {_mm256_sub_epi16(a.low, b.low), _mm256_sub_epi16(a.high, b.high)};
}
inline Words magnitudes(Words x) { return {_mm256_abs_epi16(x.low), _mm256_abs_epi16(x.high)}; }
inline bool any_negative(Words x) {
  constexpr int kSigns = static_cast<int>(0xaaaaaaaaU);  // of the higher bytes
  return (_mm256_movemask_epi8(_mm256_or_si256(x.low, x.high)) & kSigns) != 0;
}
inline void add_words(std::int32_t* sums, Words x) {
  const __m128i quarters[4] = {_mm256_castsi256_si128(x.low), _mm256_extracti128_si256(x.low, 1),
                               _mm256_castsi256_si128(x.high), _mm256_extracti128_si256(x.high, 1)};
  for (int i = 0; i < 4; ++i) {
    auto* p = reinterpret_cast<__m256i*>(sums + 8 * i);
    _mm256_store_si256(p,
                       _mm256_add_epi32(_mm256_load_si256(p), _mm256_cvtepi16_epi32(quarters[i])));
  }
}

inline void load_transposed(const std::int8_t* const (&rows)[kTableTokens], std::size_t first,
                            Words* x) {
  __m256i columns[16];
  load_columns(rows, first, columns);
  for (std::size_t k = 0; k < 16; ++k) {
    x[k] = {_mm256_cvtepi8_epi16(_mm256_castsi256_si128(columns[k])),
            _mm256_cvtepi8_epi16(_mm256_extracti128_si256(columns[k], 1))};
  }
}

// An index is the digits times 1, 3, 9, 27. Half a byte of t2 holds two digits.
inline __m256i t2_indices(__m256i packed) {
  const __m256i of_low =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 0, 0, 0, 0));
  const __m256i of_high = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 9, 18, 0, 27, 36, 45, 0, 54, 63, 72, 0, 0, 0, 0, 0));
  const __m256i mask = _mm256_set1_epi8(15);
  return _mm256_add_epi8(
      _mm256_shuffle_epi8(of_low, _mm256_and_si256(packed, mask)),
      _mm256_shuffle_epi8(of_high, _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask)));
}
inline void store_offsets(std::uint16_t* p, __m128i indices) {
  static_assert(kTableTokens == 1 << 5);
  _mm256_store_si256(reinterpret_cast<__m256i*>(p),
                     _mm256_slli_epi16(_mm256_cvtepu8_epi16(indices), 5));
}

template <TileLayout layout>
inline void table_offsets(const std::uint8_t* step_bytes, TableOffsets& offsets) {
  for (std::size_t row = 0; row < kPanelRows; row += kRowLanes) {
    const __m256i packed =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(step_bytes + 4 * row));
    __m256i indices;
    if constexpr (layout == TileLayout::t2) {
      indices = t2_indices(packed);
    } else {
      indices = modulo(packed, 81);
      // The digits of 81, as in decode, times 1, 3, 9, 27.
      const __m256i digits =
          _mm256_and_si256(_mm256_sub_epi8(packed, indices), _mm256_set1_epi8(3));
      const __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi32(0x1b090301));
      _mm256_store_si256(reinterpret_cast<__m256i*>(offsets.of_top_fields + row),
                         _mm256_madd_epi16(pairs, _mm256_set1_epi16(kTableTokens)));
    }
    std::uint16_t* of_bytes = offsets.of_bytes[0] + 4 * row;
    store_offsets(of_bytes, _mm256_castsi256_si128(indices));
    store_offsets(of_bytes + 16, _mm256_extracti128_si256(indices, 1));
  }
}

std::uint64_t read_probe(const void* memory, std::size_t n) {
  const auto* vectors = static_cast<const __m256i*>(memory);
  __m256i any[4] = {};
  for (std::size_t i = 0; i + 4 <= n / sizeof(__m256i); i += 4) {
    for (std::size_t j = 0; j < 4; ++j) {
      any[j] = _mm256_or_si256(any[j], _mm256_loadu_si256(vectors + i + j));
    }
  }
  const __m256i all =
      _mm256_or_si256(_mm256_or_si256(any[0], any[1]), _mm256_or_si256(any[2], any[3]));
  return static_cast<std::uint64_t>(_mm256_extract_epi64(all, 0));
}

// The int8 dot product that this ISA offers: multiply-add pairs, then widen and add.
std::uint64_t dot_probe(std::size_t rounds) {
  constexpr std::size_t kChains = 8;
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i digits = _mm256_set1_epi8(1);
  __m256i sums[kChains] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (__m256i& sum : sums) {
      __m256i codes = digits;
      asm volatile("" : "+x"(codes));  // a product per round and chain, none shared
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(digits, codes), ones));
      asm volatile("" : "+x"(sum));
    }
  }
  return rounds * kChains * 32;
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/nibble_dot-inl.h"
#include "kernels/simd_accumulate-inl.h"

// The vocabulary above, put to use.
#include "kernels/kernel_table-inl.h"
#include "kernels/table_gemm-inl.h"

namespace bitnet::kernels {
constinit const KernelTable kAvx2Table = with_table_gemm(make_table("avx2", Isa::avx2), 18);
}
