// SPDX-License-Identifier: MIT
// Reductions and maps over one row. Oracle: plain loops over the order of operations that
// kernel_table.h states; results must be equal in every bit.
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/each_table.h"
#include "reference/float_distance.h"
#include "reference/guarded_buffer.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::GuardedBuffer;
using reference::GuardedEnd;
using reference::normal_floats;
using reference::same_bits;

constexpr std::size_t kLengths[] = {0,  1,  2,  3,  7,  8,  9,  15, 16,  17,  31,   32,
                                    33, 47, 48, 49, 63, 64, 65, 96, 100, 127, 1000, 4099};

std::uint32_t magnitude_bits(float x) { return std::bit_cast<std::uint32_t>(x) & 0x7fffffffU; }

std::uint32_t naive_absmax_bits(const std::vector<float>& x) {
  std::uint32_t largest = 0;
  for (const float value : x) {
    largest = std::max(largest, magnitude_bits(value));
  }
  return largest;
}

/// Lane i adds term(x[i]), term(x[i + 16]), ... (a missing tail adds 0); then i += i + 8, 4, 2, 1.
template <class Real, class Term>
Real sum_in_16_lanes(const std::vector<float>& x, Term term) {
  Real lanes[16] = {};
  for (std::size_t start = 0; start < x.size(); start += 16) {
    for (std::size_t lane = 0; lane < 16; ++lane) {
      lanes[lane] = lanes[lane] + (start + lane < x.size() ? term(x[start + lane]) : Real{0});
    }
  }
  for (const std::size_t distance : {8U, 4U, 2U, 1U}) {
    for (std::size_t lane = 0; lane < distance; ++lane) {
      lanes[lane] = lanes[lane] + lanes[lane + distance];
    }
  }
  return lanes[0];
}

class RowKernels : public EachTable {};

TEST_P(RowKernels, AbsmaxBitsFindTheLargestWhereverItLies) {
  EXPECT_EQ(kernels().absmax_bits(nullptr, 0), 0U);
  for (const std::size_t n : kLengths) {
    const std::vector<float> values = normal_floats(n, static_cast<std::uint32_t>(n));
    for (const GuardedEnd end : {GuardedEnd::back, GuardedEnd::front}) {
      EXPECT_EQ(kernels().absmax_bits(GuardedBuffer<float>(values, end).data(), n),
                naive_absmax_bits(values));
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(n, 130); ++i) {
      std::vector<float> peak = values;
      peak[i] = i % 2 == 0 ? -100.0F : 100.0F;
      EXPECT_EQ(kernels().absmax_bits(peak.data(), n), magnitude_bits(100.0F)) << i << " of " << n;
    }
  }
}

TEST_P(RowKernels, AbsmaxBitsRankNonFiniteAboveAllNumbers) {
  for (std::size_t n = 1; n <= 70; ++n) {
    for (std::size_t i = 0; i < n; i += 3) {
      for (const std::uint32_t bits : {0x7f800000U, 0xff800000U, 0x7fc00000U, 0xff800001U}) {
        std::vector<float> x(n, -std::numeric_limits<float>::max());
        x[i] = std::bit_cast<float>(bits);
        EXPECT_EQ(kernels().absmax_bits(x.data(), n), bits & 0x7fffffffU) << i << " of " << n;
      }
    }
  }
  const std::vector<float> tiny = {-0.0F, std::bit_cast<float>(0x80000003U), 0.0F};
  EXPECT_EQ(kernels().absmax_bits(tiny.data(), 3), 3U) << "subnormals count";
}

TEST_P(RowKernels, SumSquaresAddsIn16Lanes) {
  for (const std::size_t n : kLengths) {
    for (const float deviation : {1.0F, 1e-20F, 1e18F}) {
      const auto x = normal_floats(n, static_cast<std::uint32_t>(n + 1), deviation);
      const float found = kernels().sum_squares(GuardedBuffer<float>(x).data(), n);
      const auto expected = sum_in_16_lanes<float>(x, [](float v) { return v * v; });
      EXPECT_TRUE(same_bits(found, expected)) << found << " for " << expected << ", n " << n;
    }
  }
}

TEST_P(RowKernels, SumAbsAddsIn16DoubleLanes) {
  for (const std::size_t n : kLengths) {
    for (const float deviation : {0.02F, 1e-40F, 1e38F}) {
      const auto w = normal_floats(n, static_cast<std::uint32_t>(n + 2), deviation);
      const double found = kernels().sum_abs(GuardedBuffer<float>(w).data(), n, 0);
      const auto expected =
          sum_in_16_lanes<double>(w, [](float v) { return std::fabs(static_cast<double>(v)); });
      EXPECT_EQ(std::bit_cast<std::uint64_t>(found), std::bit_cast<std::uint64_t>(expected)) << n;
    }
  }
}

TEST_P(RowKernels, NormalizeMultipliesTwiceAndReturnsItsAbsmax) {
  for (const std::size_t n : kLengths) {
    const auto x = normal_floats(n, static_cast<std::uint32_t>(n + 3));
    const auto gain = normal_floats(n, static_cast<std::uint32_t>(n + 4));
    const float factor = 1.37F;
    const GuardedBuffer<float> guarded_x(x);
    const GuardedBuffer<float> guarded_gain(gain);
    for (const bool with_gain : {false, true}) {
      std::vector<float> expected;
      for (std::size_t i = 0; i < n; ++i) {
        const float scaled = x[i] * factor;
        expected.push_back(with_gain ? scaled * gain[i] : scaled);
      }
      GuardedBuffer<float> out(n);
      const std::uint32_t absmax = kernels().normalize(
          guarded_x.data(), n, factor, with_gain ? guarded_gain.data() : nullptr, out.data());
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.data(), same_bits)) << n;
      EXPECT_EQ(absmax, naive_absmax_bits(expected)) << n;
    }
  }
}

TEST_P(RowKernels, NormalizeReportsNonFiniteOutputs) {
  for (std::size_t n = 1; n <= 40; ++n) {
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<float> x(n, 1.0F);
      x[i] = std::numeric_limits<float>::max();
      std::vector<float> out(n);
      EXPECT_EQ(kernels().normalize(x.data(), n, 2.0F, nullptr, out.data()), 0x7f800000U);
      std::vector<float> gain(n, 1.0F);
      gain[i] = NAN;
      EXPECT_GT(kernels().normalize(x.data(), n, 1.0F, gain.data(), out.data()), 0x7f800000U);
    }
  }
}

TEST_P(RowKernels, DequantizeIsOneProduct) {
  for (const std::size_t n : kLengths) {
    const auto codes = reference::random_int8(n, -128, 127, static_cast<std::uint32_t>(n));
    for (const float scale : {1.0F, 0.0123F, 3e36F, 1e-44F}) {
      GuardedBuffer<float> out(n);
      kernels().dequantize(GuardedBuffer<std::int8_t>(codes).data(), n, scale, out.data());
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_TRUE(same_bits(out[i], static_cast<float>(codes[i]) * scale)) << i << " of " << n;
      }
    }
  }
}

TEST_P(RowKernels, TernarizeComparesWithTheThreshold) {
  for (const float threshold : {1.0F, 0.0137F, std::numeric_limits<float>::denorm_min(), 1e38F}) {
    const float above = std::nextafter(threshold, INFINITY);
    const float below = std::nextafter(threshold, 0.0F);
    const float edges[] = {threshold,
                           -threshold,
                           above,
                           -above,
                           below,
                           -below,
                           0.0F,
                           -0.0F,
                           std::numeric_limits<float>::max(),
                           -std::numeric_limits<float>::max()};
    const std::uint8_t digits_of_edges[] = {2, 0, 2, 0, 1, 1, 1, 1, 2, 0};
    for (std::size_t n = 0; n <= 70; ++n) {
      std::vector<float> w;
      std::vector<std::uint8_t> expected;
      for (std::size_t i = 0; i < n; ++i) {
        w.push_back(edges[(i * 7 + n) % 10]);
        expected.push_back(digits_of_edges[(i * 7 + n) % 10]);
      }
      GuardedBuffer<std::uint8_t> digits(n);
      const std::size_t zeros =
          kernels().ternarize(GuardedBuffer<float>(w).data(), n, threshold, digits.data());
      EXPECT_EQ(zeros, std::count(expected.begin(), expected.end(), 1)) << "n " << n;
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), digits.data()))
          << "n " << n << ", threshold " << threshold;
    }
  }
}

BITNET_FOR_EACH_TABLE(RowKernels);

}  // namespace
}  // namespace bitnet
