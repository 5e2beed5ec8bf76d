// SPDX-License-Identifier: MIT
// The interchange form: 00 = 0, 01 = +1, 10 = -1, sixteen per word, lowest bits first, rows padded.
// Oracle: words written by hand and the round trip.
#include <bitnet/error.h>
#include <bitnet/ternary_weight.h>
#include <gtest/gtest.h>

#include <limits>

#include "reference/random_data.h"

namespace bitnet {
namespace {

TEST(TwoBitPacking, WordsByHand) {
  const std::vector<std::int8_t> trits = {1,  -1, 0, 1,  // 01, 10, 00, 01 from the lowest bits up
                                          -1, -1, 0, 0};
  EXPECT_EQ(pack_2bit(trits, 2, 4), (std::vector<std::uint32_t>{0b01001001U, 0b00001010U}));

  std::vector<std::int8_t> wide(17, -1);
  wide[16] = 1;
  EXPECT_EQ(pack_2bit(wide, 1, 17), (std::vector<std::uint32_t>{0xaaaaaaaaU, 1U}));
}

TEST(TwoBitPacking, RoundTripForEveryWidth) {
  for (std::size_t columns = 1; columns <= 70; ++columns) {
    const auto trits = reference::random_trits(5 * columns, static_cast<std::uint32_t>(columns));
    const auto words = pack_2bit(trits, 5, columns);
    EXPECT_EQ(words.size(), 5 * ((columns + 15) / 16));
    EXPECT_EQ(unpack_2bit(words, 5, columns), trits);
  }
}

TEST(TwoBitPacking, Code11IsNamed) {
  std::vector<std::uint32_t> words(3 * 2, 0);  // 3 rows of 20
  words[2 * 2 + 1] = 3U << 4;                  // row 2, column 18
  try {
    unpack_2bit(words, 3, 20);
    ADD_FAILURE() << "accepted";
  } catch (const TernaryError& error) {
    EXPECT_EQ(error.row, 2U);
    EXPECT_EQ(error.column, 18U);
    EXPECT_EQ(error.code, 3);
  }
}

// Rows without columns hold nothing, however many a caller (or a file) claims.
TEST(TwoBitPacking, NoColumnsTakeNoTime) {
  EXPECT_TRUE(pack_2bit({}, SIZE_MAX, 0).empty());
  EXPECT_TRUE(unpack_2bit({}, SIZE_MAX, 0).empty());
}

TEST(TwoBitPacking, CodesThatAreNoTritsAndWrongCountsAreErrors) {
  const std::vector<std::int8_t> bad = {0, 1, 2};
  EXPECT_THROW(pack_2bit(bad, 1, 3), TernaryError);
  const std::vector<std::int8_t> trits = {0, 1, -1};
  EXPECT_THROW(pack_2bit(trits, 1, 4), ShapeMismatch);
  EXPECT_THROW(pack_2bit(trits, 2, 3), ShapeMismatch);
  const std::vector<std::uint32_t> words = {0, 0};
  EXPECT_THROW(unpack_2bit(words, 1, 16), ShapeMismatch);
  EXPECT_THROW(unpack_2bit(words, 1, 33), ShapeMismatch);
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  EXPECT_THROW(unpack_2bit(words, huge, huge), ShapeMismatch);
  EXPECT_THROW(pack_2bit(trits, huge, huge), ShapeMismatch);
}

TEST(TwoBitPacking, NoRowsNeedNoWordsHoweverWide) {
  EXPECT_TRUE(unpack_2bit({}, 0, std::numeric_limits<std::size_t>::max()).empty());
}

}  // namespace
}  // namespace bitnet
