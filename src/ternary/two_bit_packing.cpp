// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/ternary_weight.h>

#include <array>

#include "base/message.h"

namespace bitnet {
namespace {

constexpr std::size_t kTritsPerWord = 16;
constexpr int kInvalid = 3;
constexpr std::array<std::int8_t, 4> kTritOfCode = {0, 1, -1, kInvalid};
constexpr std::array<std::uint32_t, 3> kCodeOfTrit = {2, 0, 1};  // index: trit + 1

}  // namespace

std::vector<std::uint32_t> pack_2bit(std::span<const std::int8_t> trits, std::size_t rows,
                                     std::size_t columns) {
  if (trits.size() != Shape{rows, columns}.numel()) {
    throw ShapeMismatch(
        message("pack_2bit: expected ", rows, " x ", columns, " trits, found ", trits.size()));
  }
  const std::size_t row_words = (columns + kTritsPerWord - 1) / kTritsPerWord;
  std::vector<std::uint32_t> words(rows * row_words, 0);
  if (columns == 0) return words;  // however many rows of nothing
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t k = 0; k < columns; ++k) {
      const int trit = trits[row * columns + k];
      if (trit < -1 || trit > 1) {
        throw TernaryError("pack_2bit", row, k, trit);
      }
      words[row * row_words + k / kTritsPerWord] |= kCodeOfTrit[static_cast<std::size_t>(trit + 1)]
                                                    << (2 * (k % kTritsPerWord));
    }
  }
  return words;
}

std::vector<std::int8_t> unpack_2bit(std::span<const std::uint32_t> words, std::size_t rows,
                                     std::size_t columns) {
  const std::size_t row_words = columns / kTritsPerWord + (columns % kTritsPerWord != 0 ? 1 : 0);
  if (words.size() != Shape{rows, row_words}.numel()) {
    throw ShapeMismatch(
        message("unpack_2bit: expected ", rows, " x ", row_words, " words, found ", words.size()));
  }
  std::vector<std::int8_t> trits(Shape{rows, columns}.numel());
  if (columns == 0) return trits;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t k = 0; k < columns; ++k) {
      const std::uint32_t word = words[row * row_words + k / kTritsPerWord];
      const std::int8_t trit = kTritOfCode[word >> (2 * (k % kTritsPerWord)) & 3];
      if (trit == kInvalid) {
        throw TernaryError("unpack_2bit", row, k, kInvalid);
      }
      trits[row * columns + k] = trit;
    }
  }
  return trits;
}

}  // namespace bitnet
