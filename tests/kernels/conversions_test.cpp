// SPDX-License-Identifier: MIT
// 16-bit conversions. Oracle: the formats' definitions in double arithmetic
// (tests/reference/naive_half.h); for NaN the rule of kernel_table.h, on the bits.
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "kernels/each_table.h"
#include "reference/guarded_buffer.h"
#include "reference/naive_half.h"

namespace bitnet {
namespace {

using reference::GuardedBuffer;
using reference::HalfFormat;
using reference::kBFloat16;
using reference::kFloat16;

std::vector<std::uint16_t> all_halves() {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    halves[i] = static_cast<std::uint16_t>(i);
  }
  return halves;
}

using Widen = void (*)(const std::uint16_t*, float*, std::size_t);
using Narrow = void (*)(const float*, std::uint16_t*, std::size_t);

void expect_widened(Widen widen, HalfFormat format) {
  const std::vector<std::uint16_t> halves = all_halves();
  const GuardedBuffer<std::uint16_t> in(halves);
  GuardedBuffer<float> out(halves.size());
  widen(in.data(), out.data(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double expected = reference::widen(in[i], format);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(out[i])) << std::hex << i;
    } else {
      EXPECT_EQ(static_cast<double>(out[i]), expected) << std::hex << i;
    }
    EXPECT_EQ(std::signbit(out[i]), (in[i] & 0x8000) != 0) << std::hex << i;
  }
}

/// A quiet NaN with the sign and the leading payload bits of x.
std::uint16_t narrow_nan(float x, HalfFormat format) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t fraction = (bits & 0x7fffffU) >> (23 - format.fraction_bits);
  const std::uint32_t quiet = 1U << (format.fraction_bits - 1);
  const auto exponent = static_cast<std::uint32_t>(format.top_exponent() << format.fraction_bits);
  return static_cast<std::uint16_t>((bits >> 31 << 15) | exponent | quiet | fraction);
}

void expect_narrowed(Narrow narrow, HalfFormat format, const std::vector<float>& values) {
  const GuardedBuffer<float> in(values);
  GuardedBuffer<std::uint16_t> out(values.size());
  narrow(in.data(), out.data(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::uint16_t expected = std::isnan(in[i])
                                       ? narrow_nan(in[i], format)
                                       : reference::narrow(static_cast<double>(in[i]), format);
    ASSERT_EQ(out[i], expected) << std::hexfloat << in[i] << " of bits " << std::hex
                                << std::bit_cast<std::uint32_t>(in[i]);
  }
}

/// Every number of the format, every midpoint to the next (the last one's next would be twice the
/// top power), and the floats beside each midpoint; both signs.
std::vector<float> numbers_and_midpoints(HalfFormat format) {
  std::vector<float> values = {INFINITY, -INFINITY};
  const int numbers = format.top_exponent() << format.fraction_bits;
  for (int bits = 0; bits < numbers; ++bits) {
    const double number = reference::widen(static_cast<std::uint16_t>(bits), format);
    const double next = bits + 1 < numbers
                            ? reference::widen(static_cast<std::uint16_t>(bits + 1), format)
                            : std::ldexp(1.0, format.bias() + 1);
    const auto midpoint = static_cast<float>((number + next) / 2);
    for (const float x : {static_cast<float>(number), midpoint, std::nextafter(midpoint, 0.0F),
                          std::nextafter(midpoint, INFINITY)}) {
      values.push_back(x);
      values.push_back(-x);
    }
  }
  return values;
}

std::vector<float> random_bit_patterns(std::size_t n) {
  std::mt19937 engine(1);
  std::vector<float> values(n);
  for (float& value : values) {
    value = std::bit_cast<float>(static_cast<std::uint32_t>(engine()));
  }
  return values;
}

std::vector<float> nans() {
  std::vector<float> values;
  for (const std::uint32_t bits : {0x7fc00000U, 0xffc00000U, 0x7f800001U, 0xff800001U, 0x7fa00000U,
                                   0x7fffffffU, 0xffffffffU, 0x7f801fffU, 0x7f80ffffU}) {
    values.push_back(std::bit_cast<float>(bits));
  }
  return values;
}

class Conversions : public EachTable {};

TEST_P(Conversions, EveryFloat16WidensExactly) { expect_widened(kernels().f16_to_f32, kFloat16); }

TEST_P(Conversions, EveryBFloat16WidensExactly) {
  expect_widened(kernels().bf16_to_f32, kBFloat16);
}

TEST_P(Conversions, NumbersAndMidpointsNarrowHalfToEven) {
  expect_narrowed(kernels().f32_to_f16, kFloat16, numbers_and_midpoints(kFloat16));
  expect_narrowed(kernels().f32_to_bf16, kBFloat16, numbers_and_midpoints(kBFloat16));
}

TEST_P(Conversions, AnyBitsNarrowToTheNearest) {
  const std::vector<float> values = random_bit_patterns(500'000);
  expect_narrowed(kernels().f32_to_f16, kFloat16, values);
  expect_narrowed(kernels().f32_to_bf16, kBFloat16, values);
}

TEST_P(Conversions, NanStaysAQuietNan) {
  expect_narrowed(kernels().f32_to_f16, kFloat16, nans());
  expect_narrowed(kernels().f32_to_bf16, kBFloat16, nans());
}

// Lengths around the vector width end exactly at a guard page, so their addresses vary as well.
TEST_P(Conversions, EveryLengthTouchesItsElementsOnly) {
  for (std::size_t n = 0; n <= 70; ++n) {
    std::vector<std::uint16_t> halves(n);
    std::vector<float> floats(n);
    for (std::size_t i = 0; i < n; ++i) {
      halves[i] = static_cast<std::uint16_t>(0x3c00 + i);
      floats[i] = static_cast<float>(reference::widen(halves[i], kFloat16));
    }
    const GuardedBuffer<std::uint16_t> in(halves);
    GuardedBuffer<float> out(n);
    kernels().f16_to_f32(in.data(), out.data(), n);
    EXPECT_TRUE(std::equal(floats.begin(), floats.end(), out.data())) << n;
    GuardedBuffer<std::uint16_t> back(n);
    kernels().f32_to_f16(out.data(), back.data(), n);
    EXPECT_TRUE(std::equal(halves.begin(), halves.end(), back.data())) << n;

    kernels().bf16_to_f32(in.data(), out.data(), n);
    kernels().f32_to_bf16(out.data(), back.data(), n);
    EXPECT_TRUE(std::equal(halves.begin(), halves.end(), back.data())) << n;
  }
}

BITNET_FOR_EACH_TABLE(Conversions);

}  // namespace
}  // namespace bitnet
