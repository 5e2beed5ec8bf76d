// SPDX-License-Identifier: MIT
// The scalar table: the reference that every other ISA is compared with, and the reading version of
// the vocabulary of row_ops-inl.h and ternary_gemm-inl.h. Compilers vectorize some of its loops.
#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "ternary/tile_packing-inl.h"

namespace bitnet::kernels {
namespace {

// Sixteen lanes of each type.
struct Floats {
  float lane[16];
};
struct Bits {
  std::uint32_t lane[16];
};
struct Ints {
  std::int32_t lane[16];
};
struct Doubles {
  double lane[16];
};
struct Codes {
  std::int8_t lane[64];
};

constexpr std::uint32_t kMagnitudeMask = 0x7fffffff;

inline std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
inline float float_of(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

inline Floats splat(float x) {
  Floats r;
  for (float& lane : r.lane) lane = x;
  return r;
}
inline Bits zero_bits() { return {}; }
inline Ints zero_ints() { return {}; }
inline Doubles zero_doubles() { return {}; }

inline Floats load(const float* p) {
  Floats r;
  for (int i = 0; i < 16; ++i) r.lane[i] = p[i];
  return r;
}
inline void store(float* p, const Floats& x) {
  for (int i = 0; i < 16; ++i) p[i] = x.lane[i];
}

inline Floats add(Floats a, const Floats& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] += b.lane[i];
  return a;
}
inline Floats subtract(Floats a, const Floats& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] -= b.lane[i];
  return a;
}
inline Floats multiply(Floats a, const Floats& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] *= b.lane[i];
  return a;
}
// a * b + c, rounded once. The product is exact in double. The sum is rounded there to odd: cut
// off, and its last bit set if anything was lost, so that rounding it to float sees on which side
// of a tie it lies (S. Boldo and G. Melquiond, Emulation of FMA and Correctly Rounded Sums, 2008).
// Without the instruction the C library does likewise, but changes the rounding mode for each sum.
inline float fused(float a, float b, float c) {
  const double product = double{a} * double{b};
  const double sum = product + double{c};
  const double addend = sum - product;
  const double lost = (product - (sum - addend)) + (double{c} - addend);
  const std::uint64_t inexact = __builtin_fabs(lost) > 0 ? 1 : 0;  // not where sum is no number
  const auto bits = __builtin_bit_cast(std::uint64_t, sum);
  const auto lost_bits = __builtin_bit_cast(std::uint64_t, lost);
  const std::uint64_t rounded_up = inexact & ((bits ^ lost_bits) >> 63);
  return static_cast<float>(__builtin_bit_cast(double, (bits - rounded_up) | inexact));
}
inline Floats multiply_add(const Floats& a, const Floats& b, Floats c) {
  for (int i = 0; i < 16; ++i) c.lane[i] = fused(a.lane[i], b.lane[i], c.lane[i]);
  return c;
}
inline Floats divide(Floats a, const Floats& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] /= b.lane[i];
  return a;
}

// Of numbers: what a NaN gives depends on the ISA.
inline Floats max(Floats a, const Floats& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
  return a;
}
inline Floats min(Floats a, const Floats& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
  return a;
}

/// Lane i += lane i + 8, then + 4, + 2, + 1.
template <class Reals>
inline auto add_lanes(Reals x) {
  for (int width = 8; width != 0; width /= 2) {
    for (int i = 0; i < width; ++i) x.lane[i] += x.lane[i + width];
  }
  return x.lane[0];
}
inline float largest_lane(const Floats& x) {
  float largest = x.lane[0];
  for (const float lane : x.lane) largest = lane > largest ? lane : largest;
  return largest;
}

// Unsigned order of the bits is the order of magnitudes, with infinity and NaN above all numbers.
inline Bits magnitude_bits(const Floats& x) {
  Bits r;
  for (int i = 0; i < 16; ++i) r.lane[i] = bits_of(x.lane[i]) & kMagnitudeMask;
  return r;
}
inline Bits max(Bits a, const Bits& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
  return a;
}
inline bool any_above(const Bits& x, const Bits& limit) {
  bool any = false;
  for (int i = 0; i < 16; ++i) any |= x.lane[i] > limit.lane[i];
  return any;
}
inline std::uint32_t largest_lane(const Bits& x) {
  std::uint32_t largest = 0;
  for (const std::uint32_t lane : x.lane) largest = lane > largest ? lane : largest;
  return largest;
}

// For |x| < 2^22, the numbers below: adding and taking away 1.5 * 2^23 rounds at the last integer
// bit in the default mode, half to even.
inline Ints round_half_even(const Floats& x) {
  constexpr float kMagic = 0x1.8p23F;
  Ints r;
  for (int i = 0; i < 16; ++i) r.lane[i] = static_cast<std::int32_t>((x.lane[i] + kMagic) - kMagic);
  return r;
}
// Adds the largest float below one half, then truncates. k + 1/2 plus it lies half an ulp below
// k + 1 and rounds up to it; anything less stays below. One half itself would lift 0.49999997 to 1.
inline Ints round_half_away(const Floats& x) {
  constexpr float kBelowHalf = 0x1.fffffep-2F;
  Ints r;
  for (int i = 0; i < 16; ++i) {
    const float shift = x.lane[i] < 0.0F ? -kBelowHalf : kBelowHalf;
    r.lane[i] = static_cast<std::int32_t>(x.lane[i] + shift);
  }
  return r;
}
inline Codes narrow(const Ints (&x)[4], int limit) {
  Codes codes;
  for (int i = 0; i < 64; ++i) {
    const std::int32_t value = x[i / 16].lane[i % 16];
    const std::int32_t below = value > limit ? limit : value;
    codes.lane[i] = static_cast<std::int8_t>(below < -limit ? -limit : below);
  }
  return codes;
}
inline void store(std::int8_t* p, const Codes& x) {
  for (int i = 0; i < 64; ++i) p[i] = x.lane[i];
}
inline Ints add_codes(Ints sum, const Codes& x) {
  for (int i = 0; i < 64; ++i) sum.lane[i / 4] += x.lane[i];
  return sum;
}
inline std::int32_t sum_lanes(const Ints& x) {
  std::int32_t sum = 0;
  for (const std::int32_t lane : x.lane) sum += lane;
  return sum;
}
inline Ints add(Ints a, const Ints& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] += b.lane[i];
  return a;
}
template <int bits>
inline Ints shift_left(Ints x) {
  for (std::int32_t& lane : x.lane) lane *= 1 << bits;
  return x;
}
inline Ints load_int8(const std::int8_t* p) {
  Ints r;
  for (int i = 0; i < 16; ++i) r.lane[i] = p[i];
  return r;
}
inline Floats to_floats(const Ints& x) {
  Floats r;
  for (int i = 0; i < 16; ++i) r.lane[i] = static_cast<float>(x.lane[i]);
  return r;
}

// x * 2^n, for normal x and result.
inline Floats scale_by_power(Floats x, const Ints& n) {
  for (int i = 0; i < 16; ++i) {
    x.lane[i] = float_of(bits_of(x.lane[i]) + (static_cast<std::uint32_t>(n.lane[i]) << 23));
  }
  return x;
}

inline Doubles add_magnitudes(Doubles sum, const Floats& x) {
  for (int i = 0; i < 16; ++i) {
    sum.lane[i] += static_cast<double>(float_of(bits_of(x.lane[i]) & kMagnitudeMask));
  }
  return sum;
}
/// Returns how many of the trits are zero.
inline std::size_t store_digits(std::uint8_t* p, const Floats& w, const Floats& threshold) {
  std::size_t zeros = 0;
  for (int i = 0; i < 16; ++i) {
    const int trit = (w.lane[i] >= threshold.lane[i]) - (w.lane[i] <= -threshold.lane[i]);
    p[i] = static_cast<std::uint8_t>(trit + 1);
    zeros += trit == 0 ? 1 : 0;
  }
  return zeros;
}

inline float f32_of_f16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t magnitude = half & 0x7fffU;
  if (magnitude < 0x0400) {  // zero or subnormal: magnitude units of 2^-24, exact in float
    return float_of(sign | bits_of(static_cast<float>(magnitude) * 0x1p-24F));
  }
  if (magnitude > 0x7c00) {  // NaN, made quiet
    return float_of(sign | 0x7fc00000U | (magnitude << 13));
  }
  const std::uint32_t exponent_shift = magnitude == 0x7c00 ? (255 - 31) : (127 - 15);
  return float_of(sign | ((magnitude << 13) + (exponent_shift << 23)));
}
inline std::uint16_t f16_of_f32(float x) {
  const std::uint32_t sign = (bits_of(x) >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits_of(x) & kMagnitudeMask;
  std::uint32_t half;
  if (magnitude > 0x7f800000) {  // NaN: quiet, leading payload bits
    half = 0x7e00U | ((magnitude >> 13) & 0x03ffU);
  } else if (magnitude >= 0x477ff000) {  // 65520 and above round to infinity
    half = 0x7c00U;
  } else if (magnitude < 0x38800000) {  // below 2^-14: half's subnormals, spaced 2^-24
    // Adding 0.5, whose float neighbours lie 2^-24 apart, rounds half to even at that spacing.
    half = bits_of(float_of(magnitude) + 0.5F) - bits_of(0.5F);
  } else {  // drop 13 bits, half to even; re-bias the exponent
    const std::uint32_t odd = (magnitude >> 13) & 1U;
    half = (magnitude + 0xfffU + odd - ((127U - 15U) << 23)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}
inline std::uint16_t bf16_of_f32(float x) {
  const std::uint32_t bits = bits_of(x);
  if ((bits & kMagnitudeMask) > 0x7f800000) {
    return static_cast<std::uint16_t>((bits >> 16) | 0x0040U);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

inline float widen_f16(std::uint16_t half) { return f32_of_f16(half); }
inline Floats load_f16(const std::uint16_t* p) {
  Floats r;
  for (int i = 0; i < 16; ++i) r.lane[i] = f32_of_f16(p[i]);
  return r;
}
inline Floats load_bf16(const std::uint16_t* p) {
  Floats r;
  for (int i = 0; i < 16; ++i) r.lane[i] = float_of(static_cast<std::uint32_t>(p[i]) << 16);
  return r;
}
inline void store_f16(std::uint16_t* p, const Floats& x) {
  for (int i = 0; i < 16; ++i) p[i] = f16_of_f32(x.lane[i]);
}
inline void store_bf16(std::uint16_t* p, const Floats& x) {
  for (int i = 0; i < 16; ++i) p[i] = bf16_of_f32(x.lane[i]);
}

constexpr std::size_t kFloatsAtOnce = 1;

constexpr std::size_t kMaxTokens = 1;

template <TileLayout layout, std::size_t M>
void accumulate(const std::uint8_t* panel, std::size_t first_input, std::size_t inputs,
                const std::int8_t* codes, std::size_t stride, std::size_t /*prefetch*/,
                std::int32_t (*sums)[kPanelRows]) {
  using Geometry = TileGeometry<layout>;
  constexpr std::uint32_t kPlace[] = {1, Geometry::kBase, Geometry::kBase * Geometry::kBase,
                                      Geometry::kBase * Geometry::kBase * Geometry::kBase, 81};
  for (std::size_t m = 0; m < M; ++m) {
    for (std::int32_t& sum : sums[m]) sum = 0;
    for (std::size_t k = first_input; k < first_input + inputs; ++k) {
      const std::size_t in_step = k % Geometry::kStepInputs;
      const std::uint8_t* bytes = panel + k / Geometry::kStepInputs * kPanelStepBytes + in_step % 4;
      const std::uint32_t place = kPlace[in_step / 4];
      for (std::size_t row = 0; row < kPanelRows; ++row) {
        std::uint32_t byte = bytes[4 * row];
        if constexpr (layout == TileLayout::t16p) {
          byte = kT16OfT16p.bytes[byte];
        }
        const std::uint32_t digit = byte / place % Geometry::kBase;
        sums[m][row] += static_cast<std::int32_t>(digit) * codes[m * stride + k];
      }
    }
  }
}

void nibble_dot(const std::uint8_t* panel, std::size_t steps, const std::int8_t* high,
                const std::int8_t* low, std::size_t /*prefetch*/, std::int32_t* high_sums,
                std::int32_t* low_sums) {
  for (std::size_t row = 0; row < kPanelRows; ++row) {
    high_sums[row] = 0;
    low_sums[row] = 0;
    for (std::size_t k = 0; k < steps * kNibbleStepInputs; ++k) {
      const std::size_t in_step = k % kNibbleStepInputs;
      const std::uint8_t byte =
          panel[k / kNibbleStepInputs * kPanelStepBytes + 4 * row + in_step % 4];
      const std::int32_t code = in_step < 4 ? byte & 15 : byte >> 4;
      high_sums[row] += code * high[k];
      low_sums[row] += code * low[k];
    }
  }
}

// q6_k's codes: 64 inputs, four a lane.
constexpr std::size_t kRowLanes = 16;
struct RowSums {
  std::int32_t lane[kRowLanes];
};
inline RowSums zero_sums() { return {}; }
struct SixBits {
  std::int32_t scaled_codes[64];
};
inline SixBits six_bits(const std::uint8_t* low_bits, const std::uint8_t* upper_bits,
                        const std::int8_t* sub_scales, std::size_t chunk, std::size_t /*part*/) {
  SixBits bits;
  for (std::size_t i = 0; i < 64; ++i) {
    const bool is_low = chunk % 2 == 0;
    const int four_low = is_low ? low_bits[i] & 15 : low_bits[i] >> 4;
    const int two_high = upper_bits[i % 32] >> ((is_low ? 0 : 4) + (i < 32 ? 0 : 2)) & 3;
    bits.scaled_codes[i] = (four_low + 16 * two_high - 32) * sub_scales[4 * chunk + i / 16];
  }
  return bits;
}
inline void add_products(RowSums& high, RowSums& middle, RowSums& low, const SixBits& bits,
                         const FixedPointInputs& x, std::size_t /*part*/) {
  for (std::size_t i = 0; i < 64; ++i) {
    high.lane[i / 4] += bits.scaled_codes[i] * x.high[i];
    middle.lane[i / 4] += bits.scaled_codes[i] * x.middle[i];
    low.lane[i / 4] += bits.scaled_codes[i] * x.low[i];
  }
}
inline Ints join(const RowSums (&parts)[1]) { return __builtin_bit_cast(Ints, parts[0]); }

std::uint64_t read_probe(const void* memory, std::size_t n) {
  const auto* words = static_cast<const std::uint64_t*>(memory);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n / sizeof(std::uint64_t); ++i) sum += words[i];
  return sum;
}

std::uint64_t dot_probe(std::size_t rounds) {
  volatile std::int32_t operand = 3;
  std::int32_t sums[16] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::int32_t factor = operand;
    for (std::int32_t& sum : sums) sum += factor * (sum & 0x7f);
  }
  for (const std::int32_t sum : sums) operand = operand + sum;
  return rounds * 16;
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/kernel_table-inl.h"

namespace bitnet::kernels {
constinit const KernelTable kScalarTable = [] {
  KernelTable table = make_table("scalar", Isa::scalar);
  table.gemm_t16p = multiply_block<false, TileLayout::t16p>;
  return table;
}();
}
