// SPDX-License-Identifier: MIT
// binary16 and bfloat16 <-> float, one number at a time: exact towards float, round half to even
// back. NaN stays a quiet NaN with its sign and leading payload bits.
#pragma once

#include <bit>
#include <cstdint>

namespace bitnet {

inline float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t magnitude = half & 0x7fffU;
  if (magnitude > 0x7c00U) {  // NaN
    return std::bit_cast<float>(sign | 0x7fc00000U | magnitude << 13);
  }
  if (magnitude == 0x7c00U) {  // infinity
    return std::bit_cast<float>(sign | 0x7f800000U);
  }
  if (magnitude >= 0x0400U) {  // normal: the exponent bias grows from 15 to 127
    return std::bit_cast<float>(sign | ((magnitude << 13) + ((127U - 15U) << 23)));
  }
  const float value = static_cast<float>(magnitude) * 0x1p-24F;  // subnormal or zero, exact
  return sign != 0 ? -value : value;
}

inline std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) {  // NaN
    return static_cast<std::uint16_t>(sign | 0x7e00U | (magnitude >> 13 & 0x03ffU));
  }
  if (magnitude >= 0x477ff000U) {  // 65520 and above round to infinity
    return static_cast<std::uint16_t>(sign | 0x7c00U);
  }
  if (magnitude < 0x38800000U) {  // below 2^-14: the FPU rounds to a multiple of 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;  // ulp of [0.5, 1) is 2^-24
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
  }
  const std::uint32_t round = 0x0fffU + (magnitude >> 13 & 1U);
  return static_cast<std::uint16_t>(sign | ((magnitude + round - ((127U - 15U) << 23)) >> 13));
}

inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

inline std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {  // NaN
    return static_cast<std::uint16_t>(bits >> 16 | 0x0040U);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

}  // namespace bitnet
