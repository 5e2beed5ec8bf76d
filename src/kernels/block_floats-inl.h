// SPDX-License-Identifier: MIT
// Rows of GGUF's blocks of small integers as floats, what an embedding and an output head are made
// of, and products of q8_0 with float vectors (docs/formats/packed_ternary.md has the layouts).
#pragma once

#include "kernels/prefetch-inl.h"
#include "kernels/row_ops-inl.h"
#include "kernels/unrolled-inl.h"

namespace bitnet::kernels {
namespace {

/// A block's numbers as codes and the scale of each kLanes of them.
template <std::size_t elements>
struct CodesAndScales {
  alignas(64) std::int8_t codes[elements];
  alignas(64) float scales[elements / kLanes];

  /// The kLanes numbers from i on.
  Floats numbers(std::size_t i) const {
    return multiply(to_floats(load_int8(codes + i)), splat(scales[i / kLanes]));
  }
};

// float16 scale, 32 codes.
struct Q8Block {
  static constexpr std::size_t kElements = 32;
  static constexpr std::size_t kBytes = 34;

  static void decode(const std::byte* block, CodesAndScales<kElements>& out) {
    std::uint16_t half;
    __builtin_memcpy(&half, block, sizeof half);
    for (float& scale : out.scales) scale = widen_f16(half);
    __builtin_memcpy(out.codes, block + sizeof half, kElements);
  }
};

// 128 bytes of low nibbles, 64 bytes of two upper bits, 16 int8 scales, float16 scale.
struct Q6KBlock {
  static constexpr std::size_t kElements = 256;
  static constexpr std::size_t kBytes = 210;

  static constexpr std::size_t kUpperBits = 128;  // where they begin
  static constexpr std::size_t kSubScales = 192;

  static float scale(const std::uint8_t* bytes) {
    std::uint16_t half;
    __builtin_memcpy(&half, bytes + 208, sizeof half);
    return widen_f16(half);
  }

  static void decode(const std::byte* block, CodesAndScales<kElements>& out) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(block);
    for (std::size_t half = 0; half < 2; ++half) {
      using Bytes [[gnu::vector_size(32)]] = std::uint8_t;
      Bytes low[2];  // one by one: GCC 12 copies both in narrower pieces, and waits for those
      Bytes high;    // of elements i, i + 32, i + 64 and i + 96
      __builtin_memcpy(&low[0], bytes + 64 * half, sizeof low[0]);
      __builtin_memcpy(&low[1], bytes + 64 * half + 32, sizeof low[1]);
      __builtin_memcpy(&high, bytes + kUpperBits + 32 * half, sizeof high);
      const Bytes codes[4] = {
          ((low[0] & 15) | ((high << 4) & 48)) - 32, ((low[1] & 15) | ((high << 2) & 48)) - 32,
          ((low[0] >> 4) | (high & 48)) - 32, ((low[1] >> 4) | ((high >> 2) & 48)) - 32};
      __builtin_memcpy(out.codes + 128 * half, codes, sizeof codes);
    }
    static_assert(kElements / kLanes == 16);
    const auto* sub_scales = reinterpret_cast<const std::int8_t*>(bytes + kSubScales);
    store(out.scales, multiply(splat(scale(bytes)), to_floats(load_int8(sub_scales))));
  }
};

template <class Block>
void blocks_to_f32(const std::byte* blocks, std::size_t n, float* out) {
  CodesAndScales<Block::kElements> block;
  for (std::size_t first = 0; first < n; first += Block::kElements, blocks += Block::kBytes) {
    Block::decode(blocks, block);
    for (std::size_t i = 0; i < Block::kElements; i += kLanes) {
      store(out + first + i, block.numbers(i));
    }
  }
}

/// R rows at once, by turns: a row alone would wait for each of its additions.
template <std::size_t R>
void dot_few_rows(const std::byte* rows, std::size_t row_bytes, const float* x, std::size_t n,
                  std::size_t prefetch, float* out) {
  Floats sums[R];
  unrolled<R>([&](std::size_t r) { sums[r] = splat(0.0F); });
  CodesAndScales<Q8Block::kElements> blocks[R];
  for (std::size_t first = 0; first < n; first += Q8Block::kElements, rows += Q8Block::kBytes) {
    for (std::size_t r = 0; r < R; ++r) {
      prefetch_ahead<Q8Block::kBytes>(rows + r * row_bytes, prefetch);
      Q8Block::decode(rows + r * row_bytes, blocks[r]);
    }
    for (std::size_t i = 0; i < Q8Block::kElements; i += kLanes) {
      const Floats factors = load(x + first + i);
      unrolled<R>(
          [&](std::size_t r) { sums[r] = multiply_add(blocks[r].numbers(i), factors, sums[r]); });
    }
  }
  for (std::size_t r = 0; r < R; ++r) out[r] = add_lanes(sums[r]);
}

/// dots of the decoded rows and one vector, bit for bit, without storing the rows.
void dot_q8_0(const std::byte* rows, std::size_t count, const float* x, std::size_t n,
              std::size_t prefetch, float* out) {
  constexpr std::size_t kRows = 4;
  const std::size_t row_bytes = n / Q8Block::kElements * Q8Block::kBytes;
  std::size_t r = 0;
  for (; r + kRows <= count; r += kRows) {
    dot_few_rows<kRows>(rows + r * row_bytes, row_bytes, x, n, prefetch, out + r);
  }
  for (; r < count; ++r) {
    dot_few_rows<1>(rows + r * row_bytes, row_bytes, x, n, prefetch, out + r);
  }
}

}  // namespace
}  // namespace bitnet::kernels
