// SPDX-License-Identifier: MIT
// Products of rows of q6_k blocks and vectors in fixed point (KernelTable::dot_q6_k): integers
// within a block, so that a lone vector waits for memory and not for conversions. An ISA file
// defines before, with kRowLanes lanes in a register that are sums of four neighbouring inputs
// here:
//   RowSums, zero_sums()
//   SixBits     four codes a lane, and the lane's sub-scale
//   six_bits(const uint8_t* low_bits, const uint8_t* upper_bits, const int8_t* sub_scales,
//            size_t chunk, size_t part) -> SixBits
//               of part `part` of kQuadParts of the block's inputs from 64 chunk on, whose low bits
//               are the lower nibbles of 64 bytes for even chunks, the upper ones for odd chunks
//   add_products(RowSums& high, RowSums& middle, RowSums& low, SixBits,
//                const FixedPointInputs&, size_t part)
//   join(const RowSums (&parts)[kQuadParts]) -> Ints
//   shift_left<bits>(Ints), add(Ints, Ints)
#pragma once

#include "kernels/block_floats-inl.h"
#include "kernels/prefetch-inl.h"
#include "kernels/row_ops-inl.h"
#include "kernels/unrolled-inl.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kQuadParts = kLanes / kRowLanes;
constexpr std::size_t kQ6KChunks = Q6KBlock::kElements / FixedPointInputs::kCount;
constexpr std::size_t kQ6KVectors = 2;  // side by side: they share what unpacks a row

inline SixBits six_bits(const std::uint8_t* block, std::size_t chunk, std::size_t part) {
  const std::size_t half = chunk / 2;
  return six_bits(block + 64 * half, block + Q6KBlock::kUpperBits + 32 * half,
                  reinterpret_cast<const std::int8_t*>(block + Q6KBlock::kSubScales), chunk, part);
}

/// sum + scale * (2^14 high + lower), lane by lane.
inline Floats add_scaled(const Floats& scale, const Ints& high, const Ints& lower,
                         const Floats& sum) {
  const Floats shift = splat(1 << 2 * FixedPointInputs::kDigitBits);
  return multiply_add(multiply_add(to_floats(high), shift, to_floats(lower)), scale, sum);
}

/// Adds what a block gives to the sums of M vectors.
template <std::size_t M>
inline void add_q6_k_block(const std::uint8_t* block, const FixedPointInputs* x, std::size_t stride,
                           Floats (&sums)[M]) {
  RowSums high[M][kQuadParts];
  RowSums middle[M][kQuadParts];
  RowSums low[M][kQuadParts];
  unrolled<kQuadParts>([&](std::size_t part) {
    unrolled<M>([&](std::size_t m) {
      high[m][part] = zero_sums();
      middle[m][part] = zero_sums();
      low[m][part] = zero_sums();
    });
    unrolled<kQ6KChunks>([&](std::size_t chunk) {
      const SixBits codes = six_bits(block, chunk, part);
      unrolled<M>([&](std::size_t m) {
        add_products(high[m][part], middle[m][part], low[m][part], codes, x[m * stride + chunk],
                     part);
      });
    });
  });
  const Floats scale = splat(Q6KBlock::scale(block));
  unrolled<M>([&](std::size_t m) {
    const Ints lower = add(shift_left<FixedPointInputs::kDigitBits>(join(middle[m])), join(low[m]));
    sums[m] = add_scaled(scale, join(high[m]), lower, sums[m]);
  });
}

template <std::size_t M>
void dot_q6_k_rows(const std::byte* rows, std::size_t row_count, const FixedPointVectors& vectors,
                   std::size_t first_vector, std::size_t prefetch, float* out,
                   std::size_t out_stride) {
  const std::size_t stride = vectors.n / FixedPointInputs::kCount;
  for (std::size_t r = 0; r < row_count; ++r) {
    Floats sums[M];
    unrolled<M>([&](std::size_t m) { sums[m] = splat(0.0F); });
    const FixedPointInputs* x = vectors.inputs + first_vector * stride;
    for (std::size_t i = 0; i < vectors.n; i += Q6KBlock::kElements, rows += Q6KBlock::kBytes) {
      prefetch_ahead<Q6KBlock::kBytes>(rows, prefetch);
      add_q6_k_block<M>(reinterpret_cast<const std::uint8_t*>(rows), x, stride, sums);
      x += kQ6KChunks;
    }
    for (std::size_t m = 0; m < M; ++m) {
      out[m * out_stride + r] = add_lanes(sums[m]) * vectors.scales[first_vector + m];
    }
  }
}

void dot_q6_k(const std::byte* rows, std::size_t row_count, const FixedPointVectors& vectors,
              std::size_t prefetch, float* out, std::size_t out_stride) {
  std::size_t m = 0;
  for (; m + kQ6KVectors <= vectors.count; m += kQ6KVectors) {
    dot_q6_k_rows<kQ6KVectors>(rows, row_count, vectors, m, prefetch, out + m * out_stride,
                               out_stride);
  }
  for (; m < vectors.count; ++m) {
    dot_q6_k_rows<1>(rows, row_count, vectors, m, prefetch, out + m * out_stride, out_stride);
  }
}

}  // namespace
}  // namespace bitnet::kernels
