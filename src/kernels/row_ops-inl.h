// SPDX-License-Identifier: MIT
// Kernels over one row of numbers: each algorithm once, over a vocabulary of 16 virtual lanes.
//
// An ISA file defines in its anonymous namespace, before it includes this header, the types Floats,
// Bits, Ints and Doubles of 16 lanes each, Codes of 64 int8, and the functions used below
// (scalar.cpp is the reading version). Sixteen lanes on every ISA is what makes float reductions
// bit-equal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/prefetch-inl.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kCodeLanes = 4 * kLanes;

/// Calls body(block) with each 16 elements of x, the last of them padded with zeros.
template <class Body>
inline void for_each_block(const float* x, std::size_t n, Body body, std::size_t prefetch = 0) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    prefetch_ahead<kLanes * sizeof(float)>(x + i, prefetch);
    body(load(x + i));
  }
  if (i < n) {
    float tail[kLanes] = {};
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      tail[lane] = x[i + lane];
    }
    body(load(tail));
  }
}

/// out[i] = convert(in[i]): `convert` reads a block of inputs at in and writes a block at out.
template <std::size_t block = kLanes, class In, class Out, class Convert>
inline void map_blocks(const In* in, Out* out, std::size_t n, Convert convert) {
  std::size_t i = 0;
  for (; i + block <= n; i += block) {
    convert(in + i, out + i);
  }
  if (i < n) {
    In padded[block] = {};
    Out results[block];
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      padded[lane] = in[i + lane];
    }
    convert(padded, results);
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      out[i + lane] = results[lane];
    }
  }
}

void f16_to_f32(const std::uint16_t* in, float* out, std::size_t n) {
  map_blocks(in, out, n, [](const std::uint16_t* a, float* b) { store(b, load_f16(a)); });
}
void bf16_to_f32(const std::uint16_t* in, float* out, std::size_t n) {
  map_blocks(in, out, n, [](const std::uint16_t* a, float* b) { store(b, load_bf16(a)); });
}
void f32_to_f16(const float* in, std::uint16_t* out, std::size_t n) {
  map_blocks(in, out, n, [](const float* a, std::uint16_t* b) { store_f16(b, load(a)); });
}
void f32_to_bf16(const float* in, std::uint16_t* out, std::size_t n) {
  map_blocks(in, out, n, [](const float* a, std::uint16_t* b) { store_bf16(b, load(a)); });
}

std::uint32_t absmax_bits(const float* x, std::size_t n) {
  Bits largest = zero_bits();
  for_each_block(x, n, [&](Floats block) { largest = max(largest, magnitude_bits(block)); });
  return largest_lane(largest);
}

/// The 64 values at x, scaled and rounded.
template <Scaling scaling, Rounding rounding>
inline Codes codes_of(const float* x, Floats step, int qmax) {
  Ints rounded[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const Floats values = load(x + i * kLanes);
    const Floats scaled =
        scaling == Scaling::divide ? divide(values, step) : multiply(values, step);
    rounded[i] =
        rounding == Rounding::half_to_even ? round_half_even(scaled) : round_half_away(scaled);
  }
  return narrow(rounded, qmax);
}

template <Scaling scaling, Rounding rounding>
inline std::int32_t quantize_by(const float* x, std::size_t n, const CodeRule& rule,
                                std::size_t prefetch, std::int8_t* codes) {
  const Floats step = splat(rule.step);
  const int qmax = rule.qmax;  // codes might overlap the rule, as far as a compiler knows
  Ints sum = zero_ints();
  map_blocks<kCodeLanes>(x, codes, n, [&](const float* in, std::int8_t* out) {
    prefetch_ahead<kCodeLanes * sizeof(float)>(in, prefetch);
    const Codes block_codes = codes_of<scaling, rounding>(in, step, qmax);
    sum = add_codes(sum, block_codes);
    store(out, block_codes);
  });
  return sum_lanes(sum);
}

// Division without dividing. With s the step, p = fl(x * fl(1 / s)) and d = fl(x / s) are
// x / s times at most three roundings, 1.5 * 2^-23 apart in relation to it. Where |x / s| <= 130
// that is below 2^-15: unless p lies that near to a tie, p and d round alike, and away from ties
// to even or away from zero is one. Beyond 130 both are clamped. An x / s too small for a normal p
// is 0 in either form. Few blocks of 64 hold a number that near to a tie; those are divided.
constexpr float kSmallestInvertedStep = 0x1p-100F;  // 1 / s is a normal number
constexpr float kLargestInvertedStep = 0x1p100F;
constexpr float kFarFromTie = 0.5F - 0x1p-15F;

template <Rounding rounding>
inline std::int32_t quantize_by_inverse(const float* x, std::size_t n, const CodeRule& rule,
                                        std::size_t prefetch, std::int8_t* codes) {
  const Floats step = splat(rule.step);
  const Floats inverse = splat(1.0F / rule.step);
  const int qmax = rule.qmax;
  const Bits far_from_tie = magnitude_bits(splat(kFarFromTie));
  Ints sum = zero_ints();
  map_blocks<kCodeLanes>(x, codes, n, [&](const float* in, std::int8_t* out) {
    prefetch_ahead<kCodeLanes * sizeof(float)>(in, prefetch);
    Ints rounded[4];
    Bits farthest = zero_bits();
    for (std::size_t i = 0; i < 4; ++i) {
      const Floats scaled = multiply(load(in + i * kLanes), inverse);
      rounded[i] = round_half_even(scaled);
      const Floats rest = subtract(scaled, to_floats(rounded[i]));  // exact
      farthest = max(farthest, magnitude_bits(rest));
    }
    Codes block_codes = narrow(rounded, qmax);
    if (any_above(farthest, far_from_tie)) {
      block_codes = codes_of<Scaling::divide, rounding>(in, step, qmax);
    }
    sum = add_codes(sum, block_codes);
    store(out, block_codes);
  });
  return sum_lanes(sum);
}

template <Rounding rounding>
inline std::int32_t quantize_rounded(const float* x, std::size_t n, const CodeRule& rule,
                                     std::size_t prefetch, std::int8_t* codes) {
  if (rule.scaling == Scaling::multiply) {
    return quantize_by<Scaling::multiply, rounding>(x, n, rule, prefetch, codes);
  }
  return rule.step >= kSmallestInvertedStep && rule.step <= kLargestInvertedStep
             ? quantize_by_inverse<rounding>(x, n, rule, prefetch, codes)
             : quantize_by<Scaling::divide, rounding>(x, n, rule, prefetch, codes);
}

std::int32_t quantize(const float* x, std::size_t n, const CodeRule& rule, std::size_t prefetch,
                      std::int8_t* codes) {
  return rule.rounding == Rounding::half_to_even
             ? quantize_rounded<Rounding::half_to_even>(x, n, rule, prefetch, codes)
             : quantize_rounded<Rounding::half_away_from_zero>(x, n, rule, prefetch, codes);
}

void dequantize(const std::int8_t* codes, std::size_t n, float scale, float* out) {
  const Floats factor = splat(scale);
  map_blocks(codes, out, n, [&](const std::int8_t* in, float* result) {
    store(result, multiply(to_floats(load_int8(in)), factor));
  });
}

float sum_squares(const float* x, std::size_t n) {
  Floats sum = splat(0.0F);
  for_each_block(x, n, [&](Floats block) { sum = add(sum, multiply(block, block)); });
  return add_lanes(sum);
}

std::uint32_t normalize(const float* x, std::size_t n, float factor, const float* gain,
                        float* out) {
  const Floats factors = splat(factor);
  Bits largest = zero_bits();
  const auto scale_block = [&](const float* in, const float* gains, float* result) {
    Floats scaled = multiply(load(in), factors);
    if (gains != nullptr) {
      scaled = multiply(scaled, load(gains));
    }
    largest = max(largest, magnitude_bits(scaled));
    store(result, scaled);
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    scale_block(x + i, gain == nullptr ? nullptr : gain + i, out + i);
  }
  if (i < n) {
    float tail[kLanes] = {};
    float tail_gain[kLanes] = {};
    float results[kLanes];
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      tail[lane] = x[i + lane];
      tail_gain[lane] = gain == nullptr ? 1.0F : gain[i + lane];
    }
    scale_block(tail, gain == nullptr ? nullptr : tail_gain, results);
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      out[i + lane] = results[lane];
    }
  }
  return largest_lane(largest);
}

double sum_abs(const float* w, std::size_t n, std::size_t prefetch) {
  Doubles sum = zero_doubles();
  for_each_block(
      w, n, [&](Floats block) { sum = add_magnitudes(sum, block); }, prefetch);
  return add_lanes(sum);
}

std::size_t ternarize(const float* w, std::size_t n, float threshold, std::uint8_t* digits) {
  const Floats upper = splat(threshold);
  std::size_t zeros = 0;
  map_blocks(w, digits, n, [&](const float* in, std::uint8_t* out) {
    zeros += store_digits(out, load(in), upper);
  });
  const std::size_t padding = (kLanes - n % kLanes) % kLanes;  // of the last block, all zeros
  return zeros - padding;
}

}  // namespace
}  // namespace bitnet::kernels
