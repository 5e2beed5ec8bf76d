// SPDX-License-Identifier: MIT
// Products of float rows with float vectors: an output head's logits, LoRA's first factor.
#pragma once

#include "kernels/row_ops-inl.h"
#include "kernels/unrolled-inl.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kRowsAtOnce = 4;  // times kFloatsAtOnce vectors

/// R rows and M vectors, each of n numbers and right behind the last. A sum alone would wait for
/// each of its additions; R * M wait side by side, and share their loads.
template <std::size_t R, std::size_t M>
inline void dot_tile(const float* rows, const float* vectors, std::size_t n, float* out,
                     std::size_t out_stride) {
  Floats sums[M][R];
  unrolled<M * R>([&](std::size_t i) { sums[i / R][i % R] = splat(0.0F); });
  const auto add_products = [&](const float* row, const float* vector, std::size_t stride) {
    Floats factors[M];
    unrolled<M>([&](std::size_t m) { factors[m] = load(vector + m * stride); });
    unrolled<R>([&](std::size_t r) {
      const Floats numbers = load(row + r * stride);
      unrolled<M>(
          [&](std::size_t m) { sums[m][r] = multiply_add(numbers, factors[m], sums[m][r]); });
    });
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) add_products(rows + i, vectors + i, n);
  if (i < n) {
    float tail_rows[R][kLanes] = {};
    float tail_vectors[M][kLanes] = {};
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      for (std::size_t r = 0; r < R; ++r) tail_rows[r][lane] = rows[r * n + i + lane];
      for (std::size_t m = 0; m < M; ++m) tail_vectors[m][lane] = vectors[m * n + i + lane];
    }
    add_products(tail_rows[0], tail_vectors[0], kLanes);
  }
  for (std::size_t m = 0; m < M; ++m) {
    for (std::size_t r = 0; r < R; ++r) out[m * out_stride + r] = add_lanes(sums[m][r]);
  }
}

template <std::size_t M>
void dot_rows_with(const float* rows, std::size_t row_count, const float* vectors, std::size_t n,
                   float* out, std::size_t out_stride) {
  std::size_t r = 0;
  for (; r + kRowsAtOnce <= row_count; r += kRowsAtOnce) {
    dot_tile<kRowsAtOnce, M>(rows + r * n, vectors, n, out + r, out_stride);
  }
  for (; r < row_count; ++r) dot_tile<1, M>(rows + r * n, vectors, n, out + r, out_stride);
}

void dots(const float* rows, std::size_t row_count, const float* vectors, std::size_t vector_count,
          std::size_t n, float* out, std::size_t out_stride) {
  std::size_t m = 0;
  for (; m + kFloatsAtOnce <= vector_count; m += kFloatsAtOnce) {
    dot_rows_with<kFloatsAtOnce>(rows, row_count, vectors + m * n, n, out + m * out_stride,
                                 out_stride);
  }
  for (; m < vector_count; ++m) {
    dot_rows_with<1>(rows, row_count, vectors + m * n, n, out + m * out_stride, out_stride);
  }
}

}  // namespace
}  // namespace bitnet::kernels
