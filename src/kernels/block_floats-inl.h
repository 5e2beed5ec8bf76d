// SPDX-License-Identifier: MIT
// Rows of GGUF's blocks of small integers as floats, and their products with float vectors: what an
// embedding and an output head are made of (docs/formats/packed_ternary.md has the layouts).
#pragma once

#include "kernels/prefetch-inl.h"
#include "kernels/row_ops-inl.h"

namespace bitnet::kernels {
namespace {

// float16 scale, 32 codes.
struct Q8Block {
  static constexpr std::size_t kElements = 32;
  static constexpr std::size_t kBytes = 34;

  /// Calls body(i, values) with the numbers of 16 elements from i on.
  template <class Body>
  static void decode(const std::byte* block, Body body) {
    std::uint16_t half;
    __builtin_memcpy(&half, block, sizeof half);
    const Floats scale = splat(widen_f16(half));
    const auto* codes = reinterpret_cast<const std::int8_t*>(block + sizeof half);
    for (std::size_t i = 0; i < kElements; i += kLanes) {
      body(i, multiply(to_floats(load_int8(codes + i)), scale));
    }
  }
};

// 128 bytes of low nibbles, 64 bytes of two upper bits, 16 int8 scales, float16 scale.
struct Q6KBlock {
  static constexpr std::size_t kElements = 256;
  static constexpr std::size_t kBytes = 210;

  template <class Body>
  static void decode(const std::byte* block, Body body) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(block);
    std::int8_t codes[kElements];
    for (std::size_t half = 0; half < 2; ++half) {
      const std::uint8_t* low = bytes + 64 * half;
      const std::uint8_t* high = bytes + 128 + 32 * half;
      std::int8_t* out = codes + 128 * half;
      for (std::size_t i = 0; i < 32; ++i) {
        const unsigned upper = high[i];
        const auto code = [](unsigned nibble, unsigned two_bits) {
          return static_cast<std::int8_t>(static_cast<int>(nibble | (two_bits & 3U) << 4) - 32);
        };
        out[i] = code(low[i] & 15U, upper);
        out[i + 32] = code(low[i + 32] & 15U, upper >> 2);
        out[i + 64] = code(low[i] >> 4U, upper >> 4);
        out[i + 96] = code(low[i + 32] >> 4U, upper >> 6);
      }
    }
    std::uint16_t half;
    __builtin_memcpy(&half, bytes + 208, sizeof half);
    float scales[kElements / kLanes];
    const auto* sub_scales = reinterpret_cast<const std::int8_t*>(bytes + 192);
    store(scales, multiply(splat(widen_f16(half)), to_floats(load_int8(sub_scales))));
    for (std::size_t i = 0; i < kElements; i += kLanes) {
      body(i, multiply(to_floats(load_int8(codes + i)), splat(scales[i / kLanes])));
    }
  }
};

template <class Block>
void blocks_to_f32(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t first = 0; first < n; first += Block::kElements, blocks += Block::kBytes) {
    Block::decode(blocks, [&](std::size_t i, Floats values) { store(out + first + i, values); });
  }
}

/// R rows at once: a row alone would wait for each of its additions.
template <class Block, std::size_t R>
void dot_few_rows(const std::byte* rows, std::size_t row_bytes, const float* x, std::size_t n,
                  std::size_t prefetch, float* out) {
  Floats sums[R];
  for (Floats& sum : sums) {
    sum = splat(0.0F);
  }
  for (std::size_t first = 0; first < n; first += Block::kElements, rows += Block::kBytes) {
    for (std::size_t r = 0; r < R; ++r) {
      prefetch_ahead<Block::kBytes>(rows + r * row_bytes, prefetch);
      Block::decode(rows + r * row_bytes, [&](std::size_t i, Floats values) {
        sums[r] = add(sums[r], multiply(values, load(x + first + i)));
      });
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    float lanes[kLanes];
    store(lanes, sums[r]);
    out[r] = add_lanes(lanes);
  }
}

/// dot of each decoded row, bit for bit, without storing it.
template <class Block>
void dot_rows(const std::byte* rows, std::size_t count, const float* x, std::size_t n,
              std::size_t prefetch, float* out) {
  constexpr std::size_t kRows = 4;
  const std::size_t row_bytes = n / Block::kElements * Block::kBytes;
  std::size_t r = 0;
  for (; r + kRows <= count; r += kRows) {
    dot_few_rows<Block, kRows>(rows + r * row_bytes, row_bytes, x, n, prefetch, out + r);
  }
  for (; r < count; ++r) {
    dot_few_rows<Block, 1>(rows + r * row_bytes, row_bytes, x, n, prefetch, out + r);
  }
}

}  // namespace
}  // namespace bitnet::kernels
