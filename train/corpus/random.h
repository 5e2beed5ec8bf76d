// SPDX-License-Identifier: MIT
// Random numbers that are the same everywhere: std::shuffle and the standard's distributions are
// not.
#pragma once

#include <cstdint>

namespace bitnet::train {

/// The output function of splitmix64: a bijection in which every bit depends on all bits.
constexpr std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// One number of many streams: different keys and counters give unrelated numbers.
constexpr std::uint64_t random_at(std::uint64_t key, std::uint64_t counter) {
  return mix(mix(key) ^ counter);
}

/// A random order of 0 .. size - 1 that takes no memory: a Feistel network permutes the numbers of
/// an even count of bits, and what falls outside is permuted again until it falls inside, at most
/// four times on average.
class Permutation {
 public:
  Permutation(std::uint64_t size, std::uint64_t key) : size_(size), key_(key) {
    while (half_bits_ < 32 && (std::uint64_t{1} << (2 * half_bits_)) < size) {
      ++half_bits_;
    }
  }

  /// index < size.
  std::uint64_t operator()(std::uint64_t index) const {
    do {
      index = permute(index);
    } while (index >= size_);
    return index;
  }

 private:
  std::uint64_t permute(std::uint64_t value) const {
    constexpr std::uint64_t kRounds = 6;
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t mixed = left ^ (random_at(key_ + round, right) & mask);
      left = right;
      right = mixed;
    }
    return left << half_bits_ | right;
  }

  std::uint64_t size_;
  std::uint64_t key_;
  unsigned half_bits_ = 0;
};

}  // namespace bitnet::train
