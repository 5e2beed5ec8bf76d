// SPDX-License-Identifier: MIT
// How far apart two floats are.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdlib>

namespace bitnet::reference {

/// Steps between neighbouring floats from a to b; +0 and -0 are the same point. Infinity is the
/// neighbour of the largest number; NaNs are far from everything.
inline std::int64_t float_distance(float a, float b) {
  const auto position = [](float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const auto magnitude = static_cast<std::int64_t>(bits & 0x7fffffffU);
    return (bits & 0x80000000U) != 0 ? -magnitude : magnitude;
  };
  return std::abs(position(a) - position(b));
}

inline bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

}  // namespace bitnet::reference
