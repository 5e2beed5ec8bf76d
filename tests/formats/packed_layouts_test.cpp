// SPDX-License-Identifier: MIT
// Where each ternary layout keeps the trit of a row and column. Oracle: the positions as
// docs/formats/packed_ternary.md states them, one element at a time.
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "formats/encoding.h"
#include "formats/gguf_types.h"
#include "formats/hostile_bytes.h"
#include "formats/stored_tensor.h"
#include "formats/ternary_encodings.h"

namespace bitnet {
namespace {

using test::ExactCopy;
using test::stored_tensor;

struct Position {
  std::size_t byte;
  unsigned shift;
};

/// A layout of 2-bit codes.
struct Layout {
  Encoding encoding;
  std::size_t block;      ///< columns are a multiple of it
  std::size_t row_group;  ///< rows are a multiple of it
  /// Of row r and column k of rows of K columns.
  std::function<Position(std::size_t r, std::size_t k, std::size_t K)> position;
};

unsigned shift(std::size_t value) { return static_cast<unsigned>(value); }

const std::vector<Layout>& layouts() {
  static const std::vector<Layout> all = {
      {Encoding::i2_s, 128, 1,
       [](std::size_t r, std::size_t k, std::size_t K) {
         return Position{r * K / 4 + k / 128 * 32 + k % 32, 6 - 2 * shift(k % 128 / 32)};
       }},
      {Encoding::i2_s_64, 64, 1,
       [](std::size_t r, std::size_t k, std::size_t K) {
         return Position{r * K / 4 + k / 64 * 16 + k % 16, 6 - 2 * shift(k % 64 / 16)};
       }},
      {Encoding::i2_s_rows4, 64, 4,
       [](std::size_t r, std::size_t k, std::size_t K) {
         return Position{r / 4 * K + k, 6 - 2 * shift(r % 4)};
       }},
      {Encoding::tq2_0, 256, 1,
       [](std::size_t r, std::size_t k, std::size_t K) {
         const std::size_t block = (r * K + k) / 256;
         return Position{block * 66 + k % 256 / 128 * 32 + k % 32, 2 * shift(k % 128 / 32)};
       }},
      {Encoding::q2_0, 64, 1,
       [](std::size_t r, std::size_t k, std::size_t K) {
         return Position{(r * K + k) / 64 * 18 + 2 + k % 64 / 4, 2 * shift(k % 4)};
       }},
      {Encoding::iq2_bn, 64, 1,
       [](std::size_t r, std::size_t k, std::size_t K) {
         return Position{r * (4 + K / 4) + 4 + k / 64 * 16 + k % 16, 2 * shift(k % 64 / 16)};
       }},
      {Encoding::iq2_bn_r4, 64, 4, [](std::size_t r, std::size_t k, std::size_t K) {
         return Position{r / 4 * (16 + K) + 16 + k / 64 * 64 + k % 64 / 16 * 16 + r % 4 * 4 + k % 4,
                         2 * shift(k % 16 / 4)};
       }}};
  return all;
}

/// Scale 1 + row for rows that have their own, otherwise 0.5.
float expected_scale(Encoding encoding, std::size_t row) {
  const bool of_rows = encoding == Encoding::iq2_bn || encoding == Encoding::iq2_bn_r4;
  return of_rows ? 1.0F + static_cast<float>(row) : 0.5F;
}

class PackedMatrix {
 public:
  PackedMatrix(const Layout& layout, std::size_t rows, std::size_t columns)
      : layout_(layout),
        shape_{rows, columns},
        bytes_(declared_size({"weight", layout.encoding, shape_})) {
    for (std::size_t row = 0; row < rows; ++row) {
      write_scales(row);
    }
  }

  void put(std::size_t row, std::size_t column, unsigned code) {
    const Position at = layout_.position(row, column, shape_[1]);
    ASSERT_LT(at.byte, bytes_.size());
    bytes_[at.byte] &= ~(std::byte{3} << at.shift);
    bytes_[at.byte] |= static_cast<std::byte>(code << at.shift);
  }
  std::span<const std::byte> bytes() const { return bytes_; }
  const Shape& shape() const { return shape_; }

 private:
  template <class T>
  void write(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void write_scales(std::size_t row) {
    constexpr std::uint16_t kHalf = 0x3800;  // 0.5
    const float scale = expected_scale(layout_.encoding, row);
    const std::size_t columns = shape_[1];
    switch (layout_.encoding) {
      case Encoding::iq2_bn:
        return write(row * (4 + columns / 4), scale);
      case Encoding::iq2_bn_r4:
        return write(row / 4 * (16 + columns) + row % 4 * 4, scale);
      case Encoding::tq2_0:
        for (std::size_t block = 0; block < columns / 256; ++block) {
          write((row * columns / 256 + block) * 66 + 64, kHalf);
        }
        return;
      case Encoding::q2_0:
        for (std::size_t block = 0; block < columns / 64; ++block) {
          write((row * columns / 64 + block) * 18, kHalf);
        }
        return;
      default:
        return write(shape_.numel() / 4, scale);
    }
  }

  const Layout& layout_;
  Shape shape_;
  std::vector<std::byte> bytes_;
};

TEST(PackedLayouts, EveryTritIsFoundWhereItIsStated) {
  std::mt19937 random(1);
  for (const Layout& layout : layouts()) {
    for (const std::size_t blocks : {1, 2, 3}) {
      const std::size_t rows = 2 * layout.row_group;
      const std::size_t columns = blocks * layout.block;
      PackedMatrix matrix(layout, rows, columns);
      std::vector<std::int8_t> trits(rows * columns);
      for (std::size_t i = 0; i < trits.size(); ++i) {
        trits[i] = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
        matrix.put(i / columns, i % columns, static_cast<unsigned>(trits[i] + 1));
      }
      ExactCopy copy(matrix.bytes());
      const StoredTensor tensor = stored_tensor(layout.encoding, matrix.shape(), copy.bytes());
      std::vector<std::int8_t> found(columns);
      std::vector<float> numbers(columns);
      for (std::size_t row = 0; row < rows; ++row) {
        decode_trits(tensor, row, 1, found);
        decode_to_float(tensor, row, 1, numbers);
        const float scale = expected_scale(layout.encoding, row);
        for (std::size_t k = 0; k < columns; ++k) {
          ASSERT_EQ(found[k], trits[row * columns + k]) << to_string(layout.encoding) << " " << k;
          ASSERT_EQ(numbers[k], scale * static_cast<float>(found[k])) << to_string(layout.encoding);
        }
      }
      const bool one_scale = expected_scale(layout.encoding, 1) == 0.5F;
      EXPECT_EQ(common_scale(tensor), one_scale ? std::optional(0.5F) : std::nullopt);
    }
  }
}

TEST(PackedLayouts, CodeThreeIsNamedWithItsPlace) {
  for (const Layout& layout : layouts()) {
    const std::size_t rows = 2 * layout.row_group;
    const std::size_t columns = 2 * layout.block;
    for (const auto& [row, column] :
         {std::pair{std::size_t{0}, std::size_t{0}}, std::pair{rows - 1, columns - 1},
          std::pair{rows / 2, columns / 2 + 17}}) {
      PackedMatrix matrix(layout, rows, columns);
      matrix.put(row, column, 3);
      const StoredTensor tensor = stored_tensor(layout.encoding, matrix.shape(), matrix.bytes());
      std::vector<std::int8_t> out(rows * columns);
      try {
        decode_trits(tensor, 0, rows, out);
        ADD_FAILURE() << to_string(layout.encoding) << ": expected an error";
      } catch (const TernaryError& error) {
        EXPECT_EQ(error.row, row) << to_string(layout.encoding);
        EXPECT_EQ(error.column, column) << to_string(layout.encoding);
        EXPECT_EQ(error.code, 3) << to_string(layout.encoding);
      }
    }
  }
}

// Five digits a byte, least significant first; the sixteenths of four groups share the last byte.
TEST(PackedLayouts, Iq1BnRowsAgreeWithNumbersOfBaseThree) {
  std::mt19937 random(2);
  constexpr std::size_t kRows = 3;
  constexpr std::size_t kColumns = 192;
  std::vector<std::int8_t> trits(kRows * kColumns);
  std::vector<std::byte> bytes;
  const auto push = [&](const std::vector<std::size_t>& elements) {
    int q = 0;
    int power = 1;
    for (const std::size_t element : elements) {
      q += (trits[element] + 1) * power;
      power *= 3;
    }
    bytes.push_back(static_cast<std::byte>((256 * q + 242) / 243));
  };
  for (std::size_t row = 0; row < kRows; ++row) {
    bytes.insert(bytes.end(), {std::byte{0}, std::byte{0x38}});
    for (std::size_t first = row * kColumns; first < (row + 1) * kColumns; first += 64) {
      for (std::size_t i = first; i < first + 64; ++i) {
        trits[i] = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
      }
      for (std::size_t i = first; i < first + 64; i += 16) {
        for (const std::size_t five : {i, i + 5, i + 10}) {
          push({five, five + 1, five + 2, five + 3, five + 4});
        }
      }
      push({first + 15, first + 31, first + 47, first + 63});
    }
  }
  ExactCopy copy(bytes);
  const StoredTensor tensor = stored_tensor(Encoding::iq1_bn, {kRows, kColumns}, copy.bytes());
  std::vector<std::int8_t> found(trits.size());
  decode_trits(tensor, 0, kRows, found);
  EXPECT_EQ(found, trits);
  EXPECT_EQ(common_scale(tensor), 0.5F);
}

TEST(PackedLayouts, GgufNamesTheLayoutsThatAFileCanName) {
  EXPECT_EQ(gguf::find_type(Encoding::i2_s)->id, 36U);
  EXPECT_EQ(gguf::find_type(Encoding::i2_s_64), nullptr);
  EXPECT_EQ(gguf::find_type(Encoding::i2_s_rows4), nullptr);
  for (const auto& [id, encoding] :
       {std::pair{12U, Encoding::q4_k}, std::pair{13U, Encoding::q5_k},
        std::pair{14U, Encoding::q6_k}, std::pair{134U, Encoding::iq1_bn},
        std::pair{135U, Encoding::iq2_bn}, std::pair{335U, Encoding::iq2_bn_r4}}) {
    EXPECT_EQ(gguf::find_type(id)->encoding, encoding);
    EXPECT_EQ(gguf::find_type(encoding)->id, id);
    EXPECT_EQ(gguf::find_type(id)->name, to_string(encoding));
  }
}

}  // namespace
}  // namespace bitnet
