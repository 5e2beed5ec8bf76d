// SPDX-License-Identifier: MIT
// binary16 and bfloat16. Oracle: their definitions in double arithmetic (reference/naive_half.h).
#include "base/half.h"

#include <gtest/gtest.h>

#include <cmath>

#include "reference/naive_half.h"

namespace bitnet {
namespace {

using reference::kBFloat16;
using reference::kFloat16;
using reference::narrow;
using reference::widen;

struct Conversion {
  reference::HalfFormat format;
  float (*to_float)(std::uint16_t);
  std::uint16_t (*from_float)(float);
};
constexpr Conversion kConversions[] = {{kFloat16, half_to_float, float_to_half},
                                       {kBFloat16, bfloat16_to_float, float_to_bfloat16}};

TEST(Half, EveryBitPatternWidensExactlyAndComesBack) {
  for (const Conversion& conversion : kConversions) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
      const auto half = static_cast<std::uint16_t>(bits);
      const double expected = widen(half, conversion.format);
      const float found = conversion.to_float(half);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(found)) << bits;
        ASSERT_TRUE(std::isnan(conversion.to_float(conversion.from_float(found)))) << bits;
      } else {
        ASSERT_EQ(static_cast<double>(found), expected) << bits;
        ASSERT_EQ(conversion.from_float(found), half) << bits;
      }
    }
  }
}

TEST(Half, NarrowsToTheNearestHalfToEven) {
  for (const Conversion& conversion : kConversions) {
    for (std::uint32_t bits = 0; bits < 0x7f800000; bits += 977) {
      const auto x = std::bit_cast<float>(bits);
      ASSERT_EQ(conversion.from_float(x), narrow(x, conversion.format)) << x;
      ASSERT_EQ(conversion.from_float(-x), narrow(-x, conversion.format)) << -x;
    }
    // Every midpoint between neighbours, and the floats next to it.
    for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
      const auto half = static_cast<std::uint16_t>(bits);
      const auto middle = static_cast<float>(
          (widen(half, conversion.format) + widen(half + 1, conversion.format)) / 2);
      for (const float x : {std::nextafter(middle, 0.0F), middle, std::nextafter(middle, 1e38F)}) {
        if (std::isfinite(x)) {
          ASSERT_EQ(conversion.from_float(x), narrow(x, conversion.format)) << x;
        }
      }
    }
  }
}

TEST(Half, NanStaysAQuietNanWithItsSign) {
  for (const Conversion& conversion : kConversions) {
    const auto half = conversion.from_float(std::bit_cast<float>(0xff800001U));
    EXPECT_TRUE(std::isnan(widen(half, conversion.format)));
    EXPECT_NE(half & 0x8000, 0);
  }
}

}  // namespace
}  // namespace bitnet
