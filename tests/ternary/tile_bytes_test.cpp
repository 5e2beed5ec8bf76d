// SPDX-License-Identifier: MIT
// The packed bytes themselves, which files and other programs may depend on. Oracle: an encoder
// that places one weight at a time (tests/reference/naive_tiles.h), and one tile written by hand.
#include <bitnet/ternary_weight.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "reference/naive_tiles.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

std::vector<std::uint8_t> packed_bytes(const std::vector<std::int8_t>& trits, std::size_t columns,
                                       TileLayout layout) {
  const float scale = 1.0F;
  const auto weight = TernaryWeight::pack(trits, trits.size() / columns, columns, {&scale, 1},
                                          Granularity::tensor, 0, layout);
  return {weight.tiles().begin(), weight.tiles().end()};
}

TEST(TileBytes, EqualTheirDescription) {
  for (const std::size_t rows : {1, 15, 16, 17, 31, 32, 33, 65}) {
    for (const std::size_t columns : {1, 3, 4, 5, 15, 16, 17, 19, 20, 21, 40, 64, 81, 100}) {
      const auto trits =
          reference::random_trits(rows * columns, static_cast<std::uint32_t>(rows + columns));
      EXPECT_EQ(packed_bytes(trits, columns, TileLayout::t16),
                reference::naive_tiles(trits, columns, reference::kTile16));
      EXPECT_EQ(packed_bytes(trits, columns, TileLayout::t2),
                reference::naive_tiles(trits, columns, reference::kTile2));
      EXPECT_EQ(packed_bytes(trits, columns, TileLayout::t16p),
                reference::naive_tiles(trits, columns, reference::kTile16p));
    }
  }
}

TEST(TileBytes, OneTileByHand) {
  // Row 1 of 2: inputs 0, 4, 8, 12, 16 share byte 0 of dword 1.
  std::vector<std::int8_t> trits(2 * 20, 0);
  trits[20 + 0] = 1;
  trits[20 + 4] = -1;
  trits[20 + 16] = 1;
  const auto t16 = packed_bytes(trits, 20, TileLayout::t16);
  ASSERT_EQ(t16.size(), 128U);
  constexpr std::uint8_t kZeros = 1 + 3 + 9 + 27 + 81;
  EXPECT_EQ(t16[4], 2 + 0 * 3 + 1 * 9 + 1 * 27 + 2 * 81);
  EXPECT_EQ(std::count(t16.begin(), t16.end(), kZeros), 127);

  const auto t2 = packed_bytes(trits, 20, TileLayout::t2);  // two steps
  ASSERT_EQ(t2.size(), 256U);
  EXPECT_EQ(t2[4], 2 + 0 * 4 + 1 * 16 + 1 * 64);
  EXPECT_EQ(t2[128 + 4], 2 + 1 * 4 + 1 * 16 + 1 * 64);
  EXPECT_EQ(std::count(t2.begin(), t2.end(), 0x55), 254);
}

// Oracle: the three strings of the format's description, read by eye for one byte.
TEST(TileBytes, OneByteOfT16pByHand) {
  // 0x93 = 1001 0011: bits 0-5 are 19, bits 2-7 36, bits 0-3 with 6-7 35. The strings have '6' = 0
  // + 3 * 2, '7' = 1 + 3 * 2 and '2' there.
  const std::vector<std::int8_t> trits = {-1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};
  const auto t16p = packed_bytes(trits, 17, TileLayout::t16p);
  ASSERT_EQ(t16p.size(), 128U);
  EXPECT_EQ(t16p[0], 0x93);
  EXPECT_EQ(std::count(t16p.begin(), t16p.end(), 0), 127) << "five zeros are byte 0";
}

TEST(TileBytes, RowScalesLieInRowOrderAndGroupScalesByPanel) {
  constexpr std::size_t kRows = 34;
  const std::vector<std::int8_t> trits(kRows * 64, 1);
  std::vector<float> scales;
  for (std::size_t i = 0; i < kRows * 2; ++i) {
    scales.push_back(1.0F + static_cast<float>(i));
  }
  const auto rows =
      TernaryWeight::pack(trits, kRows, 64, std::span(scales).first(kRows), Granularity::row);
  ASSERT_EQ(rows.tile_scales().size(), 64U);
  const auto groups = TernaryWeight::pack(trits, kRows, 64, scales, Granularity::group, 32);
  ASSERT_EQ(groups.tile_scales().size(), 128U);
  for (std::size_t row = 0; row < kRows; ++row) {
    EXPECT_EQ(rows.tile_scales()[row], scales[row]);
    for (std::size_t group = 0; group < 2; ++group) {
      EXPECT_EQ(groups.tile_scales()[(row / 32 * 2 + group) * 32 + row % 32],
                scales[row * 2 + group]);
    }
  }
}

}  // namespace
}  // namespace bitnet
