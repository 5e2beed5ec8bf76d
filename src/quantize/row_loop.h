// SPDX-License-Identifier: MIT
// Loops over the rows of a tensor: any float type as float rows, many threads, first bad row found.
#pragma once

#include <bitnet/runtime.h>
#include <bitnet/tensor.h>

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "base/aligned_vector.h"
#include "base/thread_pool.h"

namespace bitnet {

/// The row as float: in place for f32, else widened (exactly) into `scratch`.
const float* float_row(const TensorView& x, std::size_t row, AlignedVector<float>& scratch,
                       const kernels::KernelTable& kernels);

/// Throws NonFiniteError for the first NaN or infinity in a row that holds one; returns otherwise.
void throw_if_non_finite(const char* what, const float* values, std::size_t columns,
                         std::size_t row);

/// absmax_bits of finite numbers is below this (the bits of infinity).
inline constexpr std::uint32_t kNonFiniteBits = 0x7f800000;

/// Lowers first_bad to `row` unless it is lower already.
inline void note_bad_row(std::atomic<std::size_t>& first_bad, std::size_t row) {
  std::size_t seen = first_bad.load(std::memory_order_relaxed);
  while (row < seen && !first_bad.compare_exchange_weak(seen, row)) {
  }
}

/// Calls body(row) -> bool for every row, chunks of rows in parallel. Returns the first row whose
/// body said false, or `rows`. Rows are independent, so results cannot depend on the threads.
template <class Body>
std::size_t first_bad_row(std::size_t rows, std::size_t columns, const Runtime& runtime,
                          const Body& body) {
  // 128 KB of floats: well above a hand-out's cost. Up to 2 MB where that leaves each thread
  // several chunks, as a chunk reads memory as one stream.
  constexpr std::size_t kLeastElements = 32 * 1024;
  constexpr std::size_t kMostElements = 512 * 1024;
  const std::size_t fair = rows * columns / (8 * static_cast<std::size_t>(runtime.threads()));
  const std::size_t chunk_rows = std::max<std::size_t>(
      1, std::clamp(fair, kLeastElements, kMostElements) / std::max<std::size_t>(1, columns));
  std::atomic<std::size_t> first_bad = rows;
  runtime.pool().parallel_for((rows + chunk_rows - 1) / chunk_rows, [&](std::size_t chunk) {
    const std::size_t last = std::min(rows, (chunk + 1) * chunk_rows);
    for (std::size_t row = chunk * chunk_rows; row < last; ++row) {
      if (!body(row)) {
        note_bad_row(first_bad, row);
        return;
      }
    }
  });
  return first_bad.load(std::memory_order_relaxed);
}

/// Scratch of the calling thread, kept between calls so that steady use allocates nothing.
AlignedVector<float>& row_scratch();
AlignedVector<float>& norm_scratch();

}  // namespace bitnet
