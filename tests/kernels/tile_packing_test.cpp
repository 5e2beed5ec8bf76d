// SPDX-License-Identifier: MIT
// Packing and unpacking of one panel by the kernels. Oracle: the encoder that places one weight at
// a time (tests/reference/naive_tiles.h).
#include "kernels/each_table.h"
#include "reference/guarded_buffer.h"
#include "reference/naive_tiles.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::GuardedBuffer;
using reference::TileFormat;

constexpr std::size_t kPanel = 32;  // rows

class TilePacking : public EachTable {
 protected:
  using Pack = void (*)(const std::uint8_t*, std::size_t, std::size_t, std::uint8_t*);
  using Unpack = void (*)(const std::uint8_t*, std::size_t, std::uint8_t*, std::size_t);

  void expect_naive(Pack pack, Unpack unpack, TileFormat format, std::size_t steps,
                    std::size_t stride) {
    const std::size_t columns = steps * format.step_inputs;
    const auto trits = reference::random_trits(kPanel * columns, static_cast<std::uint32_t>(steps));
    constexpr std::uint8_t kBetweenRows = 0xee;
    GuardedBuffer<std::uint8_t> digits((kPanel - 1) * stride + columns);
    std::fill(digits.span().begin(), digits.span().end(), kBetweenRows);
    for (std::size_t i = 0; i < trits.size(); ++i) {
      digits[i / columns * stride + i % columns] = static_cast<std::uint8_t>(trits[i] + 1);
    }
    const auto expected = reference::naive_tiles(trits, columns, format);
    GuardedBuffer<std::uint8_t> panel(expected.size());
    pack(digits.data(), stride, steps, panel.data());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), panel.data())) << steps << " steps";

    if (unpack == nullptr) {
      return;
    }
    GuardedBuffer<std::uint8_t> back(digits.size());
    std::fill(back.span().begin(), back.span().end(), kBetweenRows);
    unpack(panel.data(), steps, back.data(), stride);
    EXPECT_TRUE(std::equal(digits.span().begin(), digits.span().end(), back.data()))
        << steps << " steps";
  }
};

TEST_P(TilePacking, BytesEqualTheNaiveEncoderAndUnpackAgain) {
  for (const std::size_t steps : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17}) {
    for (const std::size_t gap : {0, 1, 13}) {
      expect_naive(kernels().pack_t16, kernels().unpack_t16, reference::kTile16, steps,
                   steps * 20 + gap);
      expect_naive(kernels().pack_t2, kernels().unpack_t2, reference::kTile2, steps,
                   steps * 16 + gap);
      expect_naive(kernels().pack_t16p, nullptr, reference::kTile16p, steps, steps * 20 + gap);
    }
  }
}

BITNET_FOR_EACH_TABLE(TilePacking);

}  // namespace
}  // namespace bitnet
