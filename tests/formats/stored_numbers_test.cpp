// SPDX-License-Identifier: MIT
// decode_to_float of plain numbers and K-quants. Oracle: literals, and the formulas of
// docs/formats/packed_ternary.md in double arithmetic, one number at a time.
#include <gtest/gtest.h>

#include <cstring>
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
using test::ExactCopy;
using test::hex;
using test::stored_tensor;

std::vector<float> decode(Encoding encoding, const std::vector<std::byte>& bytes,
                          std::size_t count) {
  std::vector<float> numbers(count);
  ExactCopy copy(bytes);
  decode_to_float(stored_tensor(encoding, {1, count}, copy.bytes()), 0, 1, numbers);
  return numbers;
}

template <class T>
void expect_integers(Encoding encoding) {
  const T least = std::numeric_limits<T>::min();
  const T most = std::numeric_limits<T>::max();
  const auto bytes = ByteString().number(least).number(T{5}).number(most).bytes();
  EXPECT_EQ(decode(encoding, bytes, 3),
            (std::vector<float>{static_cast<float>(least), 5.0F, static_cast<float>(most)}))
      << to_string(encoding);
}

TEST(StoredNumbers, IntegersOfEveryWidth) {
  expect_integers<std::int8_t>(Encoding::i8);
  expect_integers<std::int16_t>(Encoding::i16);
  expect_integers<std::int32_t>(Encoding::i32);
  expect_integers<std::int64_t>(Encoding::i64);
  expect_integers<std::uint8_t>(Encoding::u8);
  expect_integers<std::uint16_t>(Encoding::u16);
  expect_integers<std::uint32_t>(Encoding::u32);
  expect_integers<std::uint64_t>(Encoding::u64);
  EXPECT_EQ(decode(Encoding::boolean, hex("00 01 01"), 3), (std::vector<float>{0, 1, 1}));
}

TEST(StoredNumbers, WorkedExampleOfQ4K) {
  const auto numbers = decode(Encoding::q4_k, hex("00 3c | 00 00 | 01 00*11 | 03 00*127"), 256);
  std::vector<float> expected(256, 0.0F);
  expected[0] = 3;
  EXPECT_EQ(numbers, expected);
}

TEST(StoredNumbers, WorkedExampleOfQ6K) {
  const auto numbers = decode(Encoding::q6_k, hex("05 00*127 | 02 00*63 | 02 00*15 | 00 3c"), 256);
  std::vector<float> expected(256, 0.0F);
  std::fill_n(expected.begin(), 16, -64.0F);
  expected[0] = 10;
  EXPECT_EQ(numbers, expected);
}

class Block {
 public:
  explicit Block(std::span<const std::byte> bytes) : bytes_(bytes) {}
  /// `count` bits of a byte, from bit `first` up.
  int bits(std::size_t byte, std::size_t first, int count) const {
    return (std::to_integer<int>(bytes_[byte]) >> first) % (1 << count);
  }
  double half(std::size_t byte) const {
    const int bits16 = bits(byte, 0, 8) + 256 * bits(byte + 1, 0, 8);
    return reference::widen(static_cast<std::uint16_t>(bits16), reference::kFloat16);
  }

  double affine(std::size_t i, bool has_fifth_bits) const {
    const std::size_t j = i / 32;
    int scale = bits(4 + j % 4, 0, 6);
    int minimum = bits(8 + j % 4, 0, 6);
    if (j >= 4) {
      scale = bits(8 + j, 0, 4) + 16 * bits(j, 6, 2);
      minimum = bits(8 + j, 4, 4) + 16 * bits(4 + j, 6, 2);
    }
    int code = bits((has_fifth_bits ? 48 : 16) + i / 64 * 32 + i % 32, i % 64 / 32 * 4, 4);
    if (has_fifth_bits) {
      code += 16 * bits(16 + i % 32, j, 1);
    }
    return half(0) * scale * code - half(2) * minimum;
  }
  double symmetric(std::size_t i) const {
    const std::size_t quarter = i % 128 / 32;
    const int low = bits(i / 128 * 64 + i % 64, quarter / 2 * 4, 4);
    const int high = bits(128 + i / 128 * 32 + i % 32, quarter * 2, 2);
    const int scale = bits(192 + i / 16, 0, 8);
    return half(208) * (scale < 128 ? scale : scale - 256) * (low + 16 * high - 32);
  }
  double number(Encoding encoding, std::size_t i) const {
    return encoding == Encoding::q6_k ? symmetric(i) : affine(i, encoding == Encoding::q5_k);
  }

 private:
  std::span<const std::byte> bytes_;
};

TEST(StoredNumbers, RandomKQuantsDecodeAsStated) {
  std::mt19937 random(3);
  for (const Encoding encoding : {Encoding::q4_k, Encoding::q5_k, Encoding::q6_k}) {
    const std::size_t block_bytes = block_layout(encoding).bytes;
    constexpr std::size_t kRows = 2;
    constexpr std::size_t kBlocks = 3;
    std::vector<std::byte> bytes(kRows * kBlocks * block_bytes);
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(random());
    }
    for (std::size_t block = 0; block < kRows * kBlocks; ++block) {  // scales below 2, no NaN
      for (const std::size_t at : encoding == Encoding::q6_k ? std::vector<std::size_t>{209}
                                                             : std::vector<std::size_t>{1, 3}) {
        bytes[block * block_bytes + at] &= std::byte{0xbf};
      }
    }
    ExactCopy copy(bytes);
    const StoredTensor tensor = stored_tensor(encoding, {kRows, kBlocks * 256}, copy.bytes());
    std::vector<float> numbers(kBlocks * 256);
    for (std::size_t row = 0; row < kRows; ++row) {
      decode_to_float(tensor, row, 1, numbers);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const Block block(
            copy.bytes().subspan((row * kBlocks + i / 256) * block_bytes, block_bytes));
        const double expected = block.number(encoding, i % 256);
        // d * scale * code has at most 11 + 7 + 5 bits: exact, so that only the difference rounds.
        ASSERT_EQ(numbers[i], static_cast<float>(expected)) << to_string(encoding) << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace bitnet
