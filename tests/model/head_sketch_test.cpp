// SPDX-License-Identifier: MIT
// Oracle: FloatMatrix::multiply, which scores every row.
#include "model/head_sketch.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "formats/float_encodings.h"

namespace bitnet {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

std::vector<float> normal_floats(std::size_t n, unsigned seed, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> x(n);
  std::generate(x.begin(), x.end(), [&] { return normal(random); });
  return x;
}

FloatMatrix head_of(const std::vector<float>& values, std::size_t rows, Encoding encoding) {
  const std::size_t columns = values.size() / rows;
  AlignedVector<std::byte> bytes(rows * float_row_bytes(encoding, columns));
  if (encoding == Encoding::f32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  } else {
    encode_float_rows(encoding, values, columns, bytes);
  }
  return FloatMatrix::from_bytes(std::move(bytes), encoding, rows, columns);
}

/// The `top` largest logits of each x and their equals must be those of the whole head; any other
/// may be left out. Returns how many were not.
std::size_t expect_top(const FloatMatrix& head, const std::vector<float>& x, std::size_t top,
                       const Runtime& runtime) {
  const std::size_t rows = head.rows();
  const std::size_t tokens = x.size() / head.columns();
  std::vector<float> expected(tokens * rows);
  head.multiply(x.data(), tokens, expected.data(), Runtime::serial());
  std::vector<float> found(tokens * rows);
  HeadSketch sketch(head, runtime);
  sketch.multiply_top(x.data(), tokens, top, found.data(), runtime);
  for (std::size_t t = 0; t < tokens; ++t) {
    std::vector<float> sorted(expected.begin() + static_cast<std::ptrdiff_t>(t * rows),
                              expected.begin() + static_cast<std::ptrdiff_t>((t + 1) * rows));
    std::ranges::sort(sorted, std::greater<>{});
    const float last = sorted[std::min(top, rows) - 1];
    for (std::size_t v = t * rows; v < (t + 1) * rows; ++v) {
      const bool may_be_left_out = expected[v] < last && found[v] == kNever;
      EXPECT_TRUE(found[v] == expected[v] || may_be_left_out)
          << "token " << t << ", row " << v - t * rows << ": " << found[v] << " for "
          << expected[v];
    }
  }
  return sketch.exact_rows();
}

TEST(HeadSketch, KeepsTheLargestLogitsOfEveryShape) {
  for (const std::size_t rows : {1, 31, 32, 33, 1025}) {
    for (const std::size_t columns : {1, 7, 8, 9, 100, 257}) {
      for (const std::size_t top : {1, 5, 40}) {
        const FloatMatrix head = head_of(normal_floats(rows * columns, 1), rows, Encoding::f32);
        expect_top(head, normal_floats(3 * columns, 2), top, Runtime::serial());
      }
    }
  }
}

TEST(HeadSketch, KeepsThemForEveryThreadCountInstructionSetAndEncoding) {
  constexpr std::size_t kRows = 1100;
  constexpr std::size_t kColumns = 512;
  const std::vector<float> values = normal_floats(kRows * kColumns, 3, 0.02F);
  const std::vector<float> x = normal_floats(2 * kColumns, 4);
  for (const Isa isa : supported_isas()) {
    for (const int threads : {1, 3}) {
      const Runtime runtime(RuntimeOptions{.threads = threads, .isa = isa});
      for (const Encoding encoding :
           {Encoding::f32, Encoding::f16, Encoding::bf16, Encoding::q8_0, Encoding::q6_k}) {
        expect_top(head_of(values, kRows, encoding), x, 10, runtime);
      }
    }
  }
}

TEST(HeadSketch, LeavesOutMostRowsWhereOneStandsOut) {
  constexpr std::size_t kRows = 4096;
  constexpr std::size_t kColumns = 1024;
  std::vector<float> values = normal_floats(kRows * kColumns, 5);
  const std::vector<float> x = normal_floats(kColumns, 6);
  for (std::size_t k = 0; k < kColumns; ++k) {  // eight deviations of a logit above the rest
    values[77 * kColumns + k] += 0.25F * x[k];
  }
  const std::size_t exact =
      expect_top(head_of(values, kRows, Encoding::bf16), x, 1, Runtime::serial());
  EXPECT_EQ(exact, 1U);
}

TEST(HeadSketch, KeepsEqualRows) {
  constexpr std::size_t kColumns = 64;
  const std::vector<float> row = normal_floats(kColumns, 7);
  std::vector<float> values;
  for (int i = 0; i < 50; ++i) {
    values.insert(values.end(), row.begin(), row.end());
  }
  EXPECT_EQ(expect_top(head_of(values, 50, Encoding::f32), row, 1, Runtime::serial()), 50U);
}

TEST(HeadSketch, SurvivesExtremes) {
  constexpr std::size_t kRows = 64;
  constexpr std::size_t kColumns = 40;
  std::vector<float> values = normal_floats(kRows * kColumns, 8);
  std::fill_n(values.begin(), kColumns, 0.0F);                  // a row of nothing
  std::fill_n(values.begin() + kColumns, kColumns, 1e-42F);     // subnormal
  std::fill_n(values.begin() + 2 * kColumns, kColumns, 1e30F);  // huge
  values[3 * kColumns] = 1e6F;                                  // one weight outweighs its row
  const FloatMatrix head = head_of(values, kRows, Encoding::f32);
  std::vector<float> outlier = normal_floats(kColumns, 9);
  outlier[5] = 1e5F;
  for (const std::vector<float>& x :
       {outlier, std::vector<float>(kColumns, 0.0F), std::vector<float>(kColumns, 1e-40F)}) {
    expect_top(head, x, 3, Runtime::serial());
  }
  expect_top(head, outlier, kRows, Runtime::serial());
  expect_top(head, outlier, kRows + 1, Runtime::serial());
}

TEST(HeadSketch, ScoresEveryRowForNumbersThatAreNone) {
  const FloatMatrix head = head_of(normal_floats(64 * 16, 10), 64, Encoding::f32);
  std::vector<float> x(16, 1.0F);
  x[3] = std::numeric_limits<float>::infinity();
  std::vector<float> logits(64, 77.0F);
  HeadSketch sketch(head, Runtime::serial());
  sketch.multiply_top(x.data(), 1, 1, logits.data(), Runtime::serial());
  EXPECT_EQ(sketch.exact_rows(), 64U);
  EXPECT_TRUE(std::ranges::none_of(logits, [](float y) { return std::isfinite(y); }));
}

TEST(HeadSketch, RefusesWeightsThatAreNoNumbers) {
  std::vector<float> values = normal_floats(64 * 16, 11);
  values[33 * 16 + 2] = std::numeric_limits<float>::quiet_NaN();
  const FloatMatrix head = head_of(values, 64, Encoding::f32);
  try {
    HeadSketch(head, Runtime::serial());
    FAIL() << "no error";
  } catch (const NonFiniteError& error) {
    EXPECT_NE(std::string(error.what()).find("output head"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("33"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bitnet
