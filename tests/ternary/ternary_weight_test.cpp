// SPDX-License-Identifier: MIT
// TernaryWeight: what goes in comes out, sizes, refusals. Oracle: the packed input itself, and byte
// counts worked out by hand from the layout (32 rows of 20 or 16 inputs in 128 bytes).
#include <bitnet/error.h>
#include <bitnet/ternary_weight.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::random_trits;

constexpr TileLayout kLayouts[] = {TileLayout::t16, TileLayout::t2, TileLayout::t16p};

TEST(TernaryWeight, TritsComeBackForEveryWidthAndPanelEdge) {
  for (const std::size_t rows : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97}) {
    for (std::size_t columns = 1; columns <= 100; ++columns) {
      const auto trits = random_trits(rows * columns, static_cast<std::uint32_t>(columns));
      for (const TileLayout layout : kLayouts) {
        const float scale = 0.75F;
        const TernaryWeight w =
            TernaryWeight::pack(trits, rows, columns, {&scale, 1}, Granularity::tensor, 0, layout);
        ASSERT_EQ(w.trits(), trits) << rows << " x " << columns;
        EXPECT_EQ(w.layout(), layout);
        EXPECT_EQ(w.out_features(), rows);
        EXPECT_EQ(w.in_features(), columns);
        EXPECT_EQ(w.scales(), std::vector<float>{scale});
      }
    }
  }
}

std::vector<float> rising_scales(std::size_t n) {
  std::vector<float> scales;
  for (std::size_t i = 0; i < n; ++i) {
    scales.push_back(1.0F + static_cast<float>(i));
  }
  return scales;
}

TEST(TernaryWeight, ScalesComeBackForEveryGranularity) {
  for (const std::size_t rows : {1, 31, 32, 33, 70}) {
    const auto trits = random_trits(rows * 96, 1);
    const auto row_scales = rising_scales(rows);
    for (const TileLayout layout : kLayouts) {
      const auto w = TernaryWeight::pack(trits, rows, 96, row_scales, Granularity::row, 0, layout);
      EXPECT_EQ(w.scales(), row_scales);
      EXPECT_EQ(w.groups(), 1U);
      EXPECT_EQ(w.group_size(), 0U);
    }
    for (const std::size_t group : {1, 2, 8, 16, 32}) {
      const auto group_scales = rising_scales(rows * 96 / group);
      const auto w = TernaryWeight::pack(trits, rows, 96, group_scales, Granularity::group, group);
      EXPECT_EQ(w.scales(), group_scales);
      EXPECT_EQ(w.trits(), trits);
      EXPECT_EQ(w.groups(), 96 / group);
      EXPECT_EQ(w.group_size(), group);
      EXPECT_EQ(w.layout(), TileLayout::t2);
    }
  }
}

TEST(TernaryWeight, TheDefaultLayoutIsT16UnlessScalesAreGrouped) {
  const auto trits = random_trits(64, 1);
  const std::vector<float> one = {1.0F};
  const std::vector<float> two = {1.0F, 1.0F};
  EXPECT_EQ(TernaryWeight::pack(trits, 1, 64, one).layout(), TileLayout::t16);
  EXPECT_EQ(TernaryWeight::pack(trits, 1, 64, two, Granularity::group, 32).layout(),
            TileLayout::t2);
}

TEST(TernaryWeight, SparsityCountsTheZerosOfRealWeightsOnly) {
  const std::vector<float> scale = {1.0F};
  const std::vector<std::int8_t> trits = {0, 1, -1, 0, 0, 1};  // 3 of 6, padding left out
  for (const TileLayout layout : kLayouts) {
    EXPECT_EQ(TernaryWeight::pack(trits, 2, 3, scale, Granularity::tensor, 0, layout).sparsity(),
              0.5);
  }
  const std::vector<std::int8_t> ones(33, 1);
  EXPECT_EQ(TernaryWeight::pack(ones, 33, 1, scale).sparsity(), 0.0);
  const std::vector<std::int8_t> zeros(33, 0);
  EXPECT_EQ(TernaryWeight::pack(zeros, 1, 33, scale).sparsity(), 1.0);
}

TEST(TernaryWeight, MemoryIsTilesAndScales) {
  const std::vector<float> one = {1.0F};
  // 64 rows of 320 inputs: 2 panels x 16 steps of 20 (t16) or 20 steps of 16 (t2), 128 bytes each.
  const auto trits = random_trits(64 * 320, 1);
  const auto t16 = TernaryWeight::pack(trits, 64, 320, one);
  EXPECT_EQ(t16.memory_bytes(), 2U * 16 * 128 + 4);
  EXPECT_DOUBLE_EQ(t16.compression_ratio(), 4.0 * 64 * 320 / (2 * 16 * 128 + 4));
  const auto t2 = TernaryWeight::pack(trits, 64, 320, one, Granularity::tensor, 0, TileLayout::t2);
  EXPECT_EQ(t2.memory_bytes(), 2U * 20 * 128 + 4);
  const auto rows = TernaryWeight::pack(trits, 64, 320, rising_scales(64), Granularity::row);
  EXPECT_EQ(rows.memory_bytes(), 2U * 16 * 128 + 64 * 4);
  const auto groups =
      TernaryWeight::pack(trits, 64, 320, rising_scales(64 * 5), Granularity::group, 64);
  EXPECT_EQ(groups.memory_bytes(), 2U * 20 * 128 + 64 * 5 * 4);
  // A row and a column more start a new panel and a new step.
  const auto padded = TernaryWeight::pack(random_trits(65 * 321, 2), 65, 321, one);
  EXPECT_EQ(padded.memory_bytes(), 3U * 17 * 128 + 4);
}

TEST(TernaryWeight, CodesThatAreNoTritsAreNamed) {
  const std::vector<float> scale = {1.0F};
  for (const int bad : {2, -2, 3, 127, -128}) {
    auto trits = random_trits(40 * 21, 3);
    trits[37 * 21 + 20] = static_cast<std::int8_t>(bad);
    trits[38 * 21] = 5;
    try {
      TernaryWeight::pack(trits, 40, 21, scale);
      ADD_FAILURE() << bad << " accepted";
    } catch (const TernaryError& error) {
      EXPECT_EQ(error.row, 37U);
      EXPECT_EQ(error.column, 20U);
      EXPECT_EQ(error.code, bad);
    }
  }
}

TEST(TernaryWeight, ScalesThatCannotMultiplyAreErrors) {
  const auto trits = random_trits(3 * 32, 4);
  for (const float bad : {0.0F, -0.0F, -1.0F, NAN, INFINITY, -INFINITY}) {
    EXPECT_THROW(TernaryWeight::pack(trits, 3, 32, {&bad, 1}), QuantizationError) << bad;
    const std::vector<float> rows = {1.0F, 1.0F, bad};
    EXPECT_THROW(TernaryWeight::pack(trits, 3, 32, rows, Granularity::row), QuantizationError);
    const std::vector<float> groups = {1.0F, 1.0F, 1.0F, bad, 1.0F, 1.0F};
    EXPECT_THROW(TernaryWeight::pack(trits, 3, 32, groups, Granularity::group, 16),
                 QuantizationError);
  }
  const float subnormal = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(TernaryWeight::pack(trits, 3, 32, {&subnormal, 1}).scales()[0], subnormal);
}

TEST(TernaryWeight, CountsThatDisagreeAreErrors) {
  const std::vector<std::int8_t> trits(3 * 32, 1);
  const auto scales = rising_scales(7);
  const std::span<const float> all(scales);
  const auto pack = [&](std::size_t rows, std::size_t columns, std::size_t scale_count,
                        Granularity granularity, std::size_t group_size) {
    return TernaryWeight::pack(trits, rows, columns, all.first(scale_count), granularity,
                               group_size);
  };
  EXPECT_THROW(pack(3, 31, 1, Granularity::tensor, 0), ShapeMismatch);
  EXPECT_THROW(pack(3, 33, 1, Granularity::tensor, 0), ShapeMismatch);
  EXPECT_THROW(pack(0, 32, 1, Granularity::tensor, 0), ShapeMismatch);
  EXPECT_THROW(pack(3, 0, 1, Granularity::tensor, 0), ShapeMismatch);
  EXPECT_THROW(pack(3, 32, 0, Granularity::tensor, 0), ShapeMismatch);
  EXPECT_THROW(pack(3, 32, 3, Granularity::tensor, 0), ShapeMismatch);
  EXPECT_THROW(pack(3, 32, 1, Granularity::row, 0), ShapeMismatch);
  EXPECT_THROW(pack(3, 32, 3, Granularity::group, 16), ShapeMismatch);
  EXPECT_THROW(pack(3, 32, 7, Granularity::group, 16), ShapeMismatch);
  EXPECT_THROW(pack(3, 32, 3, Granularity::group, 64), ShapeMismatch) << "32 is no multiple of 64";
  EXPECT_THROW(pack(3, 32, 6, Granularity::group, 24), InvalidConfig);
  EXPECT_THROW(pack(3, 32, 6, Granularity::group, 0), InvalidConfig);
  EXPECT_THROW(pack(std::size_t{1} << 40, std::size_t{1} << 40, 1, Granularity::tensor, 0),
               ShapeMismatch)
      << "the product of the dimensions overflows";
  for (const TileLayout layout : {TileLayout::t16, TileLayout::t16p}) {
    EXPECT_THROW(TernaryWeight::pack(trits, 3, 32, all.first(6), Granularity::group, 16, layout),
                 InvalidArgument);
  }
}

TEST(TernaryWeight, RowsBeyondTheExactRangeAreErrors) {
  const std::size_t limit = TernaryWeight::kMaxInFeatures;
  const std::vector<std::int8_t> trits(limit + 1, 1);
  const std::vector<float> scale = {1.0F};
  EXPECT_THROW(TernaryWeight::pack(trits, 1, limit + 1, scale), ShapeMismatch);
  EXPECT_EQ(TernaryWeight::pack(std::span(trits).first(limit), 1, limit, scale).in_features(),
            limit);
}

}  // namespace
}  // namespace bitnet
