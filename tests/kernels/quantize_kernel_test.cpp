// SPDX-License-Identifier: MIT
// The quantize kernel. Oracle: clamp(round(x / step)) or clamp(round(x * step)) with one division
// or product of the language and the rounding functions of <cmath>, an element at a time.
#include <cmath>
#include <limits>
#include <random>

#include "kernels/each_table.h"
#include "reference/guarded_buffer.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using kernels::CodeRule;
using reference::GuardedBuffer;
using reference::GuardedEnd;

int naive_code(float x, const CodeRule& rule) {
  const float scaled = rule.scaling == Scaling::divide ? x / rule.step : x * rule.step;
  const float rounded = rule.rounding == Rounding::half_to_even ? std::nearbyint(scaled)  // default
                                                                : std::round(scaled);  // mode: even
  const auto limit = static_cast<float>(rule.qmax);
  return static_cast<int>(std::fmax(-limit, std::fmin(limit, rounded)));
}

/// Both scalings and roundings with `scale` between integers and reals.
std::vector<CodeRule> rules(float scale, int qmax) {
  std::vector<CodeRule> result;
  for (const Rounding rounding : {Rounding::half_away_from_zero, Rounding::half_to_even}) {
    result.push_back({scale, Scaling::divide, rounding, qmax});
    result.push_back({1.0F / scale, Scaling::multiply, rounding, qmax});
  }
  return result;
}

class QuantizeKernel : public EachTable {
 protected:
  void expect_naive(const std::vector<float>& x, const CodeRule& rule,
                    GuardedEnd end = GuardedEnd::back) {
    const GuardedBuffer<float> in(x, end);
    GuardedBuffer<std::int8_t> codes(x.size(), end);
    const std::int32_t found_sum = kernels().quantize(in.data(), x.size(), rule, 0, codes.data());
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const int expected = naive_code(x[i], rule);
      sum += expected;
      ASSERT_EQ(static_cast<int>(codes[i]), expected)
          << std::hexfloat << x[i] << (rule.scaling == Scaling::divide ? " / " : " * ") << rule.step
          << ", element " << std::dec << i << " of " << x.size();
    }
    EXPECT_EQ(found_sum, sum);
  }
};

TEST_P(QuantizeKernel, EveryLengthAndBothEndsOfMemory) {
  for (std::size_t n = 0; n <= 200; ++n) {
    const auto x = reference::normal_floats(n, static_cast<std::uint32_t>(n), 40.0F);
    for (const CodeRule& rule : rules(1.0F, 127)) {
      expect_naive(x, rule, GuardedEnd::back);
      expect_naive(x, rule, GuardedEnd::front);
    }
  }
}

// The guarded end fixes the address; here the row starts at each offset from it.
TEST_P(QuantizeKernel, EveryMisalignment) {
  const auto x = reference::normal_floats(130, 5, 40.0F);
  const CodeRule rule{1.0F, Scaling::divide, Rounding::half_to_even, 127};
  for (std::size_t offset = 0; offset < 16; ++offset) {
    std::vector<float> memory(offset + x.size());
    std::copy(x.begin(), x.end(), memory.begin() + static_cast<std::ptrdiff_t>(offset));
    std::vector<std::int8_t> codes(offset + x.size() + 1, 99);
    kernels().quantize(memory.data() + offset, x.size(), rule, 0, codes.data() + offset);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(codes[offset + i], naive_code(x[i], rule));
    }
    EXPECT_EQ(codes.back(), 99) << "wrote beyond the row";
  }
}

TEST_P(QuantizeKernel, TiesAndTheirNeighbours) {
  std::vector<float> x;
  for (int k = -300; k <= 300; ++k) {
    const float tie = static_cast<float>(k) + 0.5F;
    x.insert(x.end(), {tie, std::nextafter(tie, INFINITY), std::nextafter(tie, -INFINITY),
                       static_cast<float>(k), std::nextafter(static_cast<float>(k), 0.0F)});
  }
  x.insert(x.end(), {0.0F, -0.0F, std::numeric_limits<float>::denorm_min(), 0.49999997F});
  for (const int qmax : {1, 3, 7, 15, 31, 63, 127}) {
    for (const CodeRule& rule : rules(1.0F, qmax)) {
      expect_naive(x, rule);
    }
    for (const float scale : {0x1p-20F, 0x1p-120F, 0x1p100F}) {  // exact, so still ties
      std::vector<float> scaled;
      for (const float value : x) {
        scaled.push_back(value * scale);
      }
      for (const CodeRule& rule : rules(scale, qmax)) {
        expect_naive(scaled, rule);
      }
    }
  }
}

// A quotient that is off by one unit in the last place would round some of these the other way.
TEST_P(QuantizeKernel, QuotientsNextToTiesForAnyScale) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> exponents(-120.0F, 118.0F);
  for (int repeat = 0; repeat < 400; ++repeat) {
    const float scale = std::exp2(exponents(engine));
    std::vector<float> x;
    for (int k = 0; k < 128; ++k) {
      float value = (static_cast<float>(k) + 0.5F) * scale;
      for (int i = 0; i < 2; ++i) {
        value = std::nextafter(value, 0.0F);
      }
      for (int i = 0; i < 5; ++i, value = std::nextafter(value, INFINITY)) {
        x.push_back(i % 2 == 0 ? value : -value);
      }
    }
    for (const CodeRule& rule : rules(scale, 127)) {
      expect_naive(x, rule);
    }
  }
}

// Each with zeros around it, so that no neighbour decides how carefully it is rounded.
TEST_P(QuantizeKernel, OneNumberNextToATieAmongZeros) {
  constexpr std::size_t kDistance = 64;
  std::mt19937 engine(9);
  std::uniform_real_distribution<float> exponents(-99.0F, 99.0F);
  for (int repeat = 0; repeat < 200; ++repeat) {
    const float scale = std::exp2(exponents(engine));
    std::vector<float> x;
    for (int k = 0; k < 128; ++k) {
      const float tie = (static_cast<float>(k) + 0.5F) * scale;
      for (const float value : {tie, std::nextafter(tie, 0.0F), std::nextafter(tie, INFINITY)}) {
        x.insert(x.end(), kDistance, 0.0F);
        x[x.size() - 1 - engine() % kDistance] = k % 2 == 0 ? value : -value;
      }
    }
    for (const CodeRule& rule : rules(scale, 127)) {
      expect_naive(x, rule);
    }
  }
}

/// units * unit and about half of it, without those that overflow.
std::vector<float> finite_multiples(float unit) {
  std::vector<float> x;
  for (const std::int8_t units : reference::random_int8(300, -127, 127, 8)) {
    const float value = static_cast<float>(units) * unit;
    if (std::isfinite(value)) {
      x.push_back(value);
      x.push_back(value * 0.493F);
    }
  }
  return x;
}

// Scales at both ends of float32: subnormal steps, and rows whose absmax is the largest float.
TEST_P(QuantizeKernel, ScalesAtTheEndsOfTheRange) {
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (const Rounding rounding : {Rounding::half_away_from_zero, Rounding::half_to_even}) {
    for (const float step : {kSmallest, 0x1.8p-148F, 0x1.234p-130F, 0x1p-126F, 0x1.fp-126F,
                             0x1.1p120F, kLargest / 127.0F}) {
      expect_naive(finite_multiples(step), {step, Scaling::divide, rounding, 127});
    }
    for (const float inverse : {kLargest, 0x1p126F, 0x1p-121F, 127.0F / kLargest}) {
      expect_naive(finite_multiples(1.0F / inverse), {inverse, Scaling::multiply, rounding, 127});
    }
  }
}

TEST_P(QuantizeKernel, LongRowsSumExactly) {
  const std::vector<float> x(300'000, 127.0F);
  expect_naive(x, {1.0F, Scaling::divide, Rounding::half_to_even, 127});
  const std::vector<float> negative(300'000, -127.0F);
  expect_naive(negative, {1.0F, Scaling::multiply, Rounding::half_away_from_zero, 127});
}

BITNET_FOR_EACH_TABLE(QuantizeKernel);

}  // namespace
}  // namespace bitnet
