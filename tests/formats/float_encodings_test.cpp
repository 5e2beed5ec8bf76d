// SPDX-License-Identifier: MIT
// Floats as bytes. Oracles: worked examples; the encoders' rules in double arithmetic; for K-quants
// hashes of what ggml's reference quantizers make of the same numbers, and a quantizer that spreads
// its codes evenly.
#include "formats/float_encodings.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "formats/byte_string.h"
#include "formats/encoding.h"
#include "formats/hostile_bytes.h"
#include "formats/stored_tensor.h"
#include "formats/ternary_encodings.h"
#include "reference/naive_half.h"

namespace bitnet {
namespace {

using test::ByteString;
using test::expect_error;
using test::hex;
using test::stored_tensor;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::nanf("");

std::vector<std::byte> encode(Encoding encoding, const std::vector<float>& values,
                              std::size_t columns) {
  std::vector<std::byte> bytes(values.size() / columns * float_row_bytes(encoding, columns));
  encode_float_rows(encoding, values, columns, bytes);
  return bytes;
}

std::vector<float> decode(Encoding encoding, const std::vector<std::byte>& bytes,
                          std::size_t count) {
  std::vector<float> values(count);
  decode_to_float(stored_tensor(encoding, {1, count}, bytes), 0, 1, values);
  return values;
}

std::vector<float> with_zeros(std::vector<float> values, std::size_t count) {
  values.resize(count);
  return values;
}

/// Bell-shaped, with a few large ones.
std::vector<float> random_numbers(std::size_t count) {
  std::mt19937 random(7);
  std::vector<float> numbers(count);
  for (float& x : numbers) {
    const double u = static_cast<double>(random() >> 8) / (1 << 23) - 1;
    x = static_cast<float>(0.1 * u * u * u + 0.02 * u);
  }
  return numbers;
}

TEST(FloatEncodings, PlainTypes) {
  EXPECT_EQ(encode(Encoding::f32, {1.0F, -0.5F}, 2), hex("00 00 80 3f 00 00 00 bf"));
  EXPECT_EQ(encode(Encoding::f16, {1.0F, -0.5F, 65504.0F}, 3), hex("00 3c 00 b8 ff 7b"));
  EXPECT_EQ(encode(Encoding::bf16, {1.0F, -2.0F}, 1), hex("80 3f 00 c0"));
  // Halves to even: 1 + 2^-11 and 1 + 3 * 2^-11 lie between float16 numbers.
  EXPECT_EQ(encode(Encoding::f16, {1 + 0x1p-11F, 1 + 0x3p-11F}, 2), hex("00 3c 02 3c"));
  EXPECT_EQ(encode(Encoding::bf16, {1 + 0x1p-8F, 1 + 0x3p-8F}, 2), hex("80 3f 82 3f"));
}

TEST(FloatEncodings, PlainTypesKeepInfinityAndNan) {
  for (const Encoding encoding : {Encoding::f32, Encoding::f16, Encoding::bf16}) {
    const auto values = decode(encoding, encode(encoding, {kInfinity, -kInfinity, kNan}, 3), 3);
    EXPECT_EQ(values[0], kInfinity);
    EXPECT_EQ(values[1], -kInfinity);
    EXPECT_TRUE(std::isnan(values[2]));
  }
}

TEST(FloatEncodings, WorkedExamplesOfBlocks) {
  EXPECT_EQ(encode(Encoding::q8_0, with_zeros({1.0F, -0.5F, 0.25F}, 32), 32),
            hex("08 20 | 7f c0 20 00*29"));
  EXPECT_EQ(encode(Encoding::q8_0, with_zeros({1.0F, 0.5F}, 32), 32),  // 63.5: away from zero
            hex("08 20 | 7f 40 00*30"));
  auto values = with_zeros({-4.0F}, 32);
  values[16] = 3.5F;
  EXPECT_EQ(encode(Encoding::q4_0, values, 32), hex("00 38 | f0 88*15"));
  for (const Encoding encoding : {Encoding::q8_0, Encoding::q4_0, Encoding::q4_k, Encoding::q6_k}) {
    const auto zeros = std::vector<float>(256, 0.0F);
    EXPECT_EQ(decode(encoding, encode(encoding, zeros, 256), 256), zeros) << to_string(encoding);
  }
}

// d = max|x| / 127; q = x / d by its float inverse, halves away from zero.
TEST(FloatEncodings, Q8_0FollowsItsRule) {
  const auto values = random_numbers(32 * 50);
  ByteString expected;
  for (std::size_t first = 0; first < values.size(); first += 32) {
    float largest = 0;
    for (std::size_t i = first; i < first + 32; ++i) {
      largest = std::fmax(largest, std::fabs(values[i]));
    }
    const float d = largest / 127.0F;
    expected.number(reference::narrow(d, reference::kFloat16));
    for (std::size_t i = first; i < first + 32; ++i) {
      const float quotient = values[i] * (1.0F / d);
      const double magnitude = std::floor(std::fabs(static_cast<double>(quotient)) + 0.5);
      expected.number(static_cast<std::int8_t>(std::copysign(magnitude, quotient)));
    }
  }
  EXPECT_EQ(encode(Encoding::q8_0, values, 64), expected.bytes());
}

// d = m / -8 for the number m of the largest magnitude; code = min(15, floor(x / d + 8.5)).
TEST(FloatEncodings, Q4_0FollowsItsRule) {
  const auto values = random_numbers(32 * 50);
  ByteString expected;
  for (std::size_t first = 0; first < values.size(); first += 32) {
    float m = 0;
    for (std::size_t i = first; i < first + 32; ++i) {
      m = std::fabs(values[i]) > std::fabs(m) ? values[i] : m;
    }
    const float d = m / -8.0F;
    expected.number(reference::narrow(d, reference::kFloat16));
    const auto code = [&](std::size_t i) {
      const float shifted = values[i] * (1.0F / d) + 8.5F;
      return std::min(15, static_cast<int>(std::floor(shifted)));
    };
    for (std::size_t i = first; i < first + 16; ++i) {
      expected.number(static_cast<std::uint8_t>(code(i) + 16 * code(i + 16)));
    }
  }
  EXPECT_EQ(encode(Encoding::q4_0, values, 32), expected.bytes());
}

// Rounding is off by half a step, the float16 scale by 2^-11 of up to 127 or 8 steps; q4_0 has no
// code +8, where it is off by a whole step.
TEST(FloatEncodings, BlocksAreAsCloseAsTheirStepsAllow) {
  const auto values = random_numbers(32 * 100);
  const auto q8 = decode(Encoding::q8_0, encode(Encoding::q8_0, values, 32), values.size());
  const auto q4 = decode(Encoding::q4_0, encode(Encoding::q4_0, values, 32), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    float largest = 0;
    for (std::size_t k = i / 32 * 32; k < i / 32 * 32 + 32; ++k) {
      largest = std::fmax(largest, std::fabs(values[k]));
    }
    EXPECT_LE(std::fabs(q8[i] - values[i]), largest / 127 * (0.5 + 127 * 0x1p-11 + 1e-4));
    EXPECT_LE(std::fabs(q4[i] - values[i]), largest / 8 * (1 + 8 * 0x1p-11 + 1e-4));
  }
}

/// FNV-1a, 64 bits.
std::uint64_t hash(const std::vector<std::byte>& bytes) {
  std::uint64_t hash = 14695981039346656037U;
  for (const std::byte byte : bytes) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 1099511628211U;
  }
  return hash;
}

/// 64 super-blocks: random ones whose sub-blocks differ in size by up to 2^6, and of eight one of
/// equal numbers, one of two values and one of zeros. Exact in float on every machine.
std::vector<float> hashed_numbers() {
  std::vector<float> x(std::size_t{64} * 256);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    state = state * 1664525U + 1013904223U;
    const float u = static_cast<float>(state >> 8) / (1 << 23) - 1.0F;
    switch (i / 256 % 8) {
      case 5:
        x[i] = 0.25F;
        break;
      case 6:
        x[i] = i % 3 == 0 ? -0.5F : 0.0F;
        break;
      case 7:
        x[i] = 0;
        break;
      default:
        x[i] = std::ldexp(u * u * u, -static_cast<int>(i / 32 % 7));
    }
  }
  return x;
}

TEST(FloatEncodings, KQuantsAgreeWithTheReferenceInEveryBit) {
  EXPECT_EQ(hash(encode(Encoding::q4_k, hashed_numbers(), 512)), 0x1477d6bda6cb06e0U);
  EXPECT_EQ(hash(encode(Encoding::q6_k, hashed_numbers(), 256)), 0x3d33145cadb1b00aU);
}

double squared_error(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  }
  return sum;
}

/// Codes spread evenly from the least to the largest number of a sub-block, with exact scales.
std::vector<float> round_evenly(std::vector<float> x, std::size_t size, int steps) {
  for (auto first = x.begin(); first != x.end(); first += static_cast<std::ptrdiff_t>(size)) {
    const auto last = first + static_cast<std::ptrdiff_t>(size);
    const auto [least, most] = std::minmax_element(first, last);
    const float minimum = std::min(*least, 0.0F);
    const float step = (*most - minimum) / static_cast<float>(steps);
    std::for_each(first, last, [&](float& value) {
      value = std::round((value - minimum) / step) * step + minimum;
    });
  }
  return x;
}

TEST(FloatEncodings, SearchesAreNotWorseThanEvenCodes) {
  const auto values = random_numbers(256 * 64);
  const auto q4 = decode(Encoding::q4_k, encode(Encoding::q4_k, values, 256), values.size());
  const auto q6 = decode(Encoding::q6_k, encode(Encoding::q6_k, values, 256), values.size());
  EXPECT_LE(squared_error(q4, values), squared_error(round_evenly(values, 32, 15), values));
  // q6_k has no minimum: its 63 steps reach from -max|x| to max|x|, here as 62 steps of the range.
  std::vector<float> symmetric;
  for (std::size_t i = 0; i < values.size(); i += 16) {
    float largest = 0;
    for (std::size_t k = i; k < i + 16; ++k) {
      largest = std::fmax(largest, std::fabs(values[k]));
    }
    for (std::size_t k = i; k < i + 16; ++k) {
      symmetric.push_back(std::round(values[k] / largest * 31) * largest / 31);
    }
  }
  EXPECT_LE(squared_error(q6, values), squared_error(symmetric, values));
}

TEST(FloatEncodings, TinyAndSubnormalNumbersDoNoHarm) {
  for (const float scale : {1e-6F, 1e-20F, 1e-38F, 1e-44F}) {
    auto values = random_numbers(256);
    for (float& value : values) {
      value *= scale;
    }
    for (const Encoding encoding :
         {Encoding::q8_0, Encoding::q4_0, Encoding::q4_k, Encoding::q6_k}) {
      for (const float value : decode(encoding, encode(encoding, values, 256), 256)) {
        EXPECT_LE(std::fabs(value), 1e-6F) << to_string(encoding) << " " << scale;
      }
    }
  }
}

TEST(FloatEncodings, NanAndInfinityAreNamedWithTheirPlace) {
  for (const Encoding encoding : {Encoding::q8_0, Encoding::q4_0, Encoding::q4_k, Encoding::q6_k}) {
    for (const float bad : {kInfinity, -kInfinity, kNan}) {
      auto values = random_numbers(3 * 256);
      values[256 + 77] = bad;
      values[600] = bad;
      try {
        encode(encoding, values, 256);
        ADD_FAILURE() << to_string(encoding);
      } catch (const NonFiniteError& error) {
        EXPECT_EQ(error.row, 1U);
        EXPECT_EQ(error.column, 77U);
        EXPECT_EQ(std::isnan(error.value), std::isnan(bad));
      }
    }
  }
}

TEST(FloatEncodings, NumbersThatWouldBecomeInfiniteAreNamedWithTheirPlace) {
  const std::vector<std::pair<Encoding, float>> too_large = {
      {Encoding::f16, 65520.0F},   {Encoding::bf16, 3.4e38F}, {Encoding::q8_0, -9e6F},
      {Encoding::q4_0, 600000.0F}, {Encoding::q4_k, 1e8F},    {Encoding::q4_k, -3e38F},
      {Encoding::q6_k, 1e9F},      {Encoding::q6_k, 3e38F}};
  for (const auto& [encoding, value] : too_large) {
    auto values = random_numbers(2 * 256);
    values[256 + 41] = value;
    expect_error<QuantizationError>([&, e = encoding] { encode(e, values, 256); },
                                    {std::string(to_string(encoding)), "row 1, column 41"});
  }
  EXPECT_NO_THROW(encode(Encoding::f16, {65519.0F}, 1));
  EXPECT_NO_THROW(encode(Encoding::q8_0, with_zeros({8e6F}, 32), 32));
}

TEST(FloatEncodings, RowsAreWholeBlocks) {
  struct Expected {
    Encoding encoding;
    std::size_t block, bytes;
  };
  for (const auto& [encoding, block, bytes] :
       {Expected{Encoding::f32, 1, 4}, Expected{Encoding::f16, 1, 2},
        Expected{Encoding::bf16, 1, 2}, Expected{Encoding::q8_0, 32, 34},
        Expected{Encoding::q4_0, 32, 18}, Expected{Encoding::q4_k, 256, 144},
        Expected{Encoding::q6_k, 256, 210}}) {
    EXPECT_TRUE(encodes_floats(encoding));
    EXPECT_EQ(float_row_bytes(encoding, 3 * block), 3 * bytes);
    for (const std::size_t columns : {block - 1, block + 1}) {
      if (block > 1) {
        expect_error<UnsupportedError>([&, e = encoding] { float_row_bytes(e, columns); },
                                       {std::string(to_string(encoding)), std::to_string(columns)});
      }
    }
  }
  for (const Encoding encoding : {Encoding::q5_k, Encoding::i2_s, Encoding::tq2_0, Encoding::f64,
                                  Encoding::i8, Encoding::other}) {
    EXPECT_FALSE(encodes_floats(encoding));
    expect_error<UnsupportedError>([&] { float_row_bytes(encoding, 256); });
  }
  std::vector<std::byte> out(34);
  const std::vector<float> values(48);
  expect_error<ShapeMismatch>([&] { encode_float_rows(Encoding::q8_0, values, 32, out); });
  expect_error<ShapeMismatch>([&] {
    encode_float_rows(Encoding::q8_0, std::span(values).first(32), 32, std::span(out).first(33));
  });
  expect_error<ShapeMismatch>([&] { encode_float_rows(Encoding::f32, {}, 0, {}); });
}

}  // namespace
}  // namespace bitnet
