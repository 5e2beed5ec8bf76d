// SPDX-License-Identifier: MIT
// Oracles: the published numbers of splitmix64; counting.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "corpus/random.h"

namespace bitnet::train {
namespace {

TEST(Mix, IsSplitmix64) {
  // The first numbers of the reference implementation for the seed 1234567.
  constexpr std::uint64_t kIncrement = 0x9e3779b97f4a7c15;
  EXPECT_EQ(mix(1234567), 6457827717110365317U);
  EXPECT_EQ(mix(1234567 + kIncrement), 3203168211198807973U);
  EXPECT_EQ(mix(1234567 + 2 * kIncrement), 9817491932198370423U);
}

TEST(Permutation, HoldsEveryNumberOnce) {
  for (std::uint64_t size = 1; size < 300; ++size) {
    const Permutation order(size, size * 7);
    std::vector<int> times(size);
    for (std::uint64_t i = 0; i < size; ++i) {
      ASSERT_LT(order(i), size);
      ++times[order(i)];
    }
    EXPECT_EQ(times, std::vector<int>(size, 1)) << size;
  }
  const Permutation huge(~std::uint64_t{0}, 1);
  EXPECT_NE(huge(0), huge(1));
}

TEST(Permutation, EveryPlaceIsAsLikely) {
  // Counts of 4000 draws with p = 1/16: mean 250, standard deviation 15.3; five of them are 77.
  constexpr std::uint64_t kSize = 16;
  std::map<std::pair<std::uint64_t, std::uint64_t>, int> times;
  for (std::uint64_t key = 0; key < 4000; ++key) {
    const Permutation order(kSize, random_at(5, key));
    for (std::uint64_t i = 0; i < kSize; ++i) {
      ++times[{i, order(i)}];
    }
  }
  ASSERT_EQ(times.size(), kSize * kSize);
  for (const auto& [place, count] : times) {
    EXPECT_NEAR(count, 250, 77) << place.first << " at " << place.second;
  }
}

}  // namespace
}  // namespace bitnet::train
