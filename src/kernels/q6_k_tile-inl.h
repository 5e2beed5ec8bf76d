// SPDX-License-Identifier: MIT
// KernelTable::dot_q6_k of many vectors, by 16-bit dot products: a row's sub-scales are multiplied
// into its codes once for all vectors, and two digits of a number take the place of three. The sums
// are the same integers as in q6_k_dots-inl.h. AVX-512: AVX2 has no room for the sums of a tile.
#pragma once

#include "kernels/q6_k_dots-inl.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kQ6KTileRows = 4;
constexpr std::size_t kQ6KTileVectors = 2;     // times rows and digits: 16 sums of 32 registers
constexpr std::size_t kQ6KVectorsAtOnce = 32;  // share what unpacks a block of rows

/// A block's sub-scale * code, within int16: of even inputs and of odd ones.
struct BlockWords {
  alignas(64) std::int16_t words[kQ6KChunks][2][FixedPointInputs::kCount / 2];
  Floats scale;
};

inline void unpack_words(const std::byte* row, BlockWords& to) {
  const auto* block = reinterpret_cast<const std::uint8_t*>(row);
  to.scale = splat(Q6KBlock::scale(block));
  unrolled<kQ6KChunks>([&](std::size_t chunk) {
    const SixBits bits = six_bits(block, chunk, 0);
    const __m512i scales = _mm512_or_si512(bits.scales, _mm512_slli_epi32(bits.scales, 16));
    const __m512i even = _mm512_srai_epi16(_mm512_slli_epi16(bits.codes, 8), 8);
    const __m512i odd = _mm512_srai_epi16(bits.codes, 8);
    _mm512_store_si512(to.words[chunk][0], _mm512_mullo_epi16(even, scales));
    _mm512_store_si512(to.words[chunk][1], _mm512_mullo_epi16(odd, scales));
  });
}

/// 32 words in a register: GCC 12 would load them anew for each row.
inline __m512i load_once(const std::int16_t* words) {
  __m512i x = _mm512_load_si512(words);
  asm("" : "+v"(x));
  return x;
}

/// Adds R rows' blocks times M vectors' inputs [M, kQ6KChunks].
template <std::size_t R, std::size_t M>
inline void add_tile(const BlockWords* rows, const FixedPointWords* x,
                     Floats (*sums)[kQ6KTileRows]) {
  __m512i high[R][M];
  __m512i lower[R][M];
  unrolled<R * M>([&](std::size_t i) {
    high[i / M][i % M] = _mm512_setzero_si512();
    lower[i / M][i % M] = _mm512_setzero_si512();
  });
  for (std::size_t chunk = 0; chunk < kQ6KChunks; ++chunk) {
    unrolled<2>([&](std::size_t parity) {
      __m512i of_high[M];
      __m512i of_lower[M];
      unrolled<M>([&](std::size_t m) {
        of_high[m] = load_once(x[m * kQ6KChunks + chunk].high[parity]);
        of_lower[m] = load_once(x[m * kQ6KChunks + chunk].lower[parity]);
      });
      unrolled<R>([&](std::size_t r) {
        const __m512i weights = _mm512_load_si512(rows[r].words[chunk][parity]);
        unrolled<M>([&](std::size_t m) {
          high[r][m] = _mm512_dpwssd_epi32(high[r][m], weights, of_high[m]);
          lower[r][m] = _mm512_dpwssd_epi32(lower[r][m], weights, of_lower[m]);
        });
      });
    });
  }
  unrolled<R * M>([&](std::size_t i) {
    Floats& sum = sums[i % M][i / M];
    sum = add_scaled(rows[i / M].scale, {high[i / M][i % M]}, {lower[i / M][i % M]}, sum);
  });
}

/// R rows times vectors [first, first + count).
template <std::size_t R>
void dot_q6_k_tiles(const std::byte* rows, std::size_t row_bytes, const FixedPointVectors& vectors,
                    std::size_t first, std::size_t count, Floats (*sums)[kQ6KTileRows]) {
  for (std::size_t m = 0; m < count; ++m) {
    for (Floats& sum : sums[m]) sum = splat(0.0F);
  }
  BlockWords weights[R];
  const FixedPointWords* x = vectors.words + first * kQ6KChunks;
  for (std::size_t i = 0; i < vectors.n; i += Q6KBlock::kElements, rows += Q6KBlock::kBytes) {
    for (std::size_t r = 0; r < R; ++r) {
      const std::byte* const block = rows + r * row_bytes;
      unpack_words(block, weights[r]);
      prefetch_lines<Q6KBlock::kBytes, kFirstLevel>(
          reinterpret_cast<std::uintptr_t>(block + Q6KBlock::kBytes));
    }
    std::size_t m = 0;
    for (; m + kQ6KTileVectors <= count; m += kQ6KTileVectors) {
      add_tile<R, kQ6KTileVectors>(weights, x + m * kQ6KChunks, sums + m);
    }
    for (; m < count; ++m) add_tile<R, 1>(weights, x + m * kQ6KChunks, sums + m);
    x += vectors.count * kQ6KChunks;
  }
}

void dot_q6_k_tiled(const std::byte* rows, std::size_t row_count, const FixedPointVectors& vectors,
                    std::size_t prefetch, float* out, std::size_t out_stride) {
  if (vectors.count == 1) {
    dot_q6_k(rows, row_count, vectors, prefetch, out, out_stride);
    return;
  }
  const std::size_t row_bytes = vectors.n / Q6KBlock::kElements * Q6KBlock::kBytes;
  for (std::size_t first = 0; first < vectors.count; first += kQ6KVectorsAtOnce) {
    const std::size_t count = std::min(kQ6KVectorsAtOnce, vectors.count - first);
    Floats sums[kQ6KVectorsAtOnce][kQ6KTileRows];
    std::size_t at_once = 1;
    for (std::size_t r = 0; r < row_count; r += at_once) {
      at_once = row_count - r >= kQ6KTileRows ? kQ6KTileRows : 1;
      const auto multiply = at_once == 1 ? dot_q6_k_tiles<1> : dot_q6_k_tiles<kQ6KTileRows>;
      multiply(rows + r * row_bytes, row_bytes, vectors, first, count, sums);
      for (std::size_t m = 0; m < count; ++m) {
        float* const to = out + (first + m) * out_stride + r;
        for (std::size_t i = 0; i < at_once; ++i) {
          to[i] = add_lanes(sums[m][i]) * vectors.scales[first + m];
        }
      }
    }
  }
}

constexpr KernelTable with_q6_k_tiles(KernelTable table) {
  table.dot_q6_k = dot_q6_k_tiled;
  return table;
}

}  // namespace
}  // namespace bitnet::kernels
