// SPDX-License-Identifier: MIT
#include "layers/low_rank_update.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "quantize/row_loop.h"

namespace bitnet {

LowRankUpdate::LowRankUpdate(std::span<const float> a, std::span<const float> b, std::size_t rank,
                             float scale)
    : rank_(rank), scale_(scale), a_(a.begin(), a.end()), b_transposed_(b.size()) {
  const std::size_t rows = b.size() / rank;
  for (std::size_t n = 0; n < rows; ++n) {
    for (std::size_t j = 0; j < rank; ++j) {
      b_transposed_[j * rows + n] = b[n * rank + j];
    }
  }
}

void LowRankUpdate::add_to(std::span<const float> x, std::span<float> y,
                           AlignedVector<float>& inner, const Runtime& runtime) const {
  const kernels::KernelTable& kernels = runtime.kernels();
  const std::size_t columns = a_.size() / rank_;
  const std::size_t rows = b_transposed_.size() / rank_;
  const std::size_t tokens = x.size() / columns;
  inner.resize(tokens * rank_);
  // One token is split by rank, many by token.
  const std::size_t sums = tokens == 1 ? 1 : rank_;
  runtime.pool().parallel_for(inner.size() / sums, [&](std::size_t task) {
    float* const first = inner.data() + task * sums;
    kernels.dots(a_.data() + task * sums % rank_ * columns, sums,
                 x.data() + task * sums / rank_ * columns, 1, columns, first, sums);
    std::for_each_n(first, sums, [this](float& sum) { sum *= scale_; });
  });
  constexpr std::size_t kBlock = 1024;  // 4 KB of outputs and as much scratch stay in L1
  const std::size_t blocks = (rows + kBlock - 1) / kBlock;
  runtime.pool().parallel_for(tokens * blocks, [&](std::size_t task) {
    const std::size_t token = task / blocks;
    const std::size_t first = task % blocks * kBlock;
    const std::size_t n = std::min(kBlock, rows - first);
    AlignedVector<float>& products = row_scratch();
    products.resize(n);
    for (std::size_t j = 0; j < rank_; ++j) {
      kernels.normalize(b_transposed_.data() + j * rows + first, n, inner[token * rank_ + j],
                        nullptr, products.data());
      kernels.add_to(products.data(), n, y.data() + token * rows + first);
    }
  });
}

}  // namespace bitnet
