// SPDX-License-Identifier: MIT
// binary16 and bfloat16 by their definitions, in double arithmetic: an oracle for the bit tricks.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace bitnet::reference {

/// A binary float of 16 bits: sign, exponent, fraction.
struct HalfFormat {
  int exponent_bits;
  int fraction_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int top_exponent() const { return (1 << exponent_bits) - 1; }
};
inline constexpr HalfFormat kFloat16{5, 10};
inline constexpr HalfFormat kBFloat16{8, 7};

/// The value of `bits`; every NaN gives a NaN.
inline double widen(std::uint16_t bits, HalfFormat format) {
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> format.fraction_bits) & format.top_exponent();
  const int fraction = bits & ((1 << format.fraction_bits) - 1);
  if (exponent == format.top_exponent()) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  const int hidden = exponent == 0 ? 0 : 1 << format.fraction_bits;
  const int scale = (exponent == 0 ? 1 : exponent) - format.bias() - format.fraction_bits;
  return sign * std::ldexp(hidden + fraction, scale);
}

/// The nearest number of the format, half to even; x is not NaN.
inline std::uint16_t narrow(double x, HalfFormat format) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const double magnitude = std::fabs(x);
  const int infinity = format.top_exponent() << format.fraction_bits;
  int exponent = 1 - format.bias();  // of the numbers' spacing: subnormals share the smallest
  if (magnitude >= std::ldexp(1.0, exponent)) {
    exponent = std::isinf(magnitude) ? format.bias() + 1 : std::ilogb(magnitude);
  }
  if (exponent > format.bias()) {
    return static_cast<std::uint16_t>(sign | infinity);
  }
  // In units of the spacing; a result of 2^(fraction_bits + 1) carries into the next exponent by
  // itself, and beyond the largest number into infinity.
  const auto units =
      static_cast<int>(std::nearbyint(std::ldexp(magnitude, format.fraction_bits - exponent)));
  const int below = (exponent + format.bias() - 1) << format.fraction_bits;
  return static_cast<std::uint16_t>(sign | (below + units));
}

}  // namespace bitnet::reference
