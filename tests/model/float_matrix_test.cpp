// SPDX-License-Identifier: MIT
// Oracle: sums in double of the rows' floats.
#include "model/float_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "formats/float_encodings.h"

namespace bitnet {
namespace {

constexpr std::size_t kRows = 70;
constexpr std::size_t kColumns = 768;

std::vector<float> normal_floats(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& number : x) number = normal(random);
  return x;
}

FloatMatrix random_matrix(Encoding encoding) {
  const std::vector<float> values = normal_floats(kRows * kColumns, 1);
  AlignedVector<std::byte> bytes(kRows * float_row_bytes(encoding, kColumns));
  encode_float_rows(encoding, values, kColumns, bytes);
  return FloatMatrix::from_bytes(std::move(bytes), encoding, kRows, kColumns);
}

std::vector<float> product(const FloatMatrix& matrix, const std::vector<float>& x,
                           const Runtime& runtime) {
  const std::size_t tokens = x.size() / kColumns;
  std::vector<float> y(tokens * kRows);
  matrix.multiply(x.data(), tokens, y.data(), runtime);
  return y;
}

/// q6_k multiplies x rounded to fixed point: half a step of max|x| / (127 * 2^14) a number. Beside
/// it the rows' floats round twice, a block's lower digits round once as a float (2^-24 of up to
/// 2^14 steps a weight), and additions round as HeadSketch counts them.
TEST(FloatMatrix, ProductsOfSixBitRowsAreNearThoseOfTheirFloats) {
  const FloatMatrix matrix = random_matrix(Encoding::q6_k);
  for (const float outlier : {0.0F, 50.0F}) {
    std::vector<float> x = normal_floats(kColumns, 2);
    x[100] += outlier;
    float largest = 0;
    for (const float number : x) largest = std::max(largest, std::abs(number));
    const double step = static_cast<double>(largest) / (127 << 14);
    const std::vector<float> y = product(matrix, x, Runtime::serial());
    std::vector<float> row(kColumns);
    for (std::size_t v = 0; v < kRows; ++v) {
      matrix.read_row(v, Runtime::serial(), row.data());
      double exact = 0;
      double weights = 0;
      double terms = 0;
      for (std::size_t k = 0; k < kColumns; ++k) {
        exact += static_cast<double>(x[k]) * row[k];
        weights += std::abs(row[k]);
        terms += std::abs(static_cast<double>(x[k]) * row[k]);
      }
      const double bound = weights * step * (0.5 + 0x1p-10) +
                           terms * (2 + static_cast<double>(kColumns) / 16 + 8) * 0x1p-24;
      ASSERT_NEAR(y[v], exact, bound) << "row " << v;
    }
  }
}

TEST(FloatMatrix, VectorsTogetherGiveTheBitsOfEachAlone) {
  for (const Encoding encoding : {Encoding::q6_k, Encoding::q8_0, Encoding::bf16}) {
    const FloatMatrix matrix = random_matrix(encoding);
    for (const Isa isa : supported_isas()) {
      const Runtime runtime(RuntimeOptions{.threads = 2, .isa = isa});
      for (const std::size_t tokens : {2, 3, 35}) {
        const std::vector<float> x = normal_floats(tokens * kColumns, 3);
        const std::vector<float> together = product(matrix, x, runtime);
        for (std::size_t t = 0; t < tokens; ++t) {
          const auto begin = x.begin() + static_cast<std::ptrdiff_t>(t * kColumns);
          const std::vector<float> alone =
              product(matrix, {begin, begin + kColumns}, Runtime::serial());
          for (std::size_t v = 0; v < kRows; ++v) {
            ASSERT_EQ(together[t * kRows + v], alone[v]) << to_string(isa) << ", row " << v;
          }
        }
      }
    }
  }
}

TEST(FloatMatrix, RowsHereAndThereGiveTheSameBits) {
  const std::vector<float> x = normal_floats(2 * kColumns, 4);
  for (const Encoding encoding : {Encoding::q6_k, Encoding::bf16}) {
    const FloatMatrix matrix = random_matrix(encoding);
    const std::vector<float> all = product(matrix, x, Runtime::serial());
    FloatMatrix::Vectors vectors;
    matrix.prepare(x.data(), 2, vectors);
    const std::vector<std::size_t> rows = {3, 4, 11, 40, 69};
    std::vector<float> y(kRows, 77.0F);
    matrix.dot_rows(rows, vectors, 1, y.data(), Runtime::serial());
    for (const std::size_t v : rows) EXPECT_EQ(y[v], all[kRows + v]) << v;
    EXPECT_EQ(y[5], 77.0F);
  }
}

}  // namespace
}  // namespace bitnet
