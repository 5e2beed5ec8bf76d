// SPDX-License-Identifier: MIT
// Reproducible random inputs: the same seed gives the same numbers in every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace bitnet::reference {

inline std::vector<float> normal_floats(std::size_t n, std::uint32_t seed, float deviation = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values(n);
  for (float& value : values) {
    value = normal(engine);
  }
  return values;
}

/// Integers in lowest..highest, each equally likely.
inline std::vector<std::int8_t> random_int8(std::size_t n, int lowest, int highest,
                                            std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> uniform(lowest, highest);
  std::vector<std::int8_t> values(n);
  for (std::int8_t& value : values) {
    value = static_cast<std::int8_t>(uniform(engine));
  }
  return values;
}

inline std::vector<std::int8_t> random_trits(std::size_t n, std::uint32_t seed) {
  return random_int8(n, -1, 1, seed);
}

}  // namespace bitnet::reference
