// SPDX-License-Identifier: MIT
// LowRankUpdate: the side branch of a LoRA adapter beside one projection.
// Legend: T tokens, N out_features, K in_features, r rank.
#pragma once

#include <bitnet/runtime.h>

#include <cstddef>
#include <span>

#include "base/aligned_vector.h"

namespace bitnet {

class LowRankUpdate {
 public:
  /// a [r, K], b [N, r]; rank > 0 divides both.
  LowRankUpdate(std::span<const float> a, std::span<const float> b, std::size_t rank, float scale);

  /// y[t, n] += Σ_j B[n, j] * (scale * Σ_k A[j, k] x[t, k]): the inner sum as KernelTable::dots,
  /// the outer one j ascending onto y, each product and each addition rounded. x [T, K], y [T, N];
  /// `inner` is scratch.
  void add_to(std::span<const float> x, std::span<float> y, AlignedVector<float>& inner,
              const Runtime& runtime) const;

  std::size_t memory_bytes() const { return (a_.size() + b_transposed_.size()) * sizeof(float); }

 private:
  std::size_t rank_;
  float scale_;
  AlignedVector<float> a_;             // [r, K]
  AlignedVector<float> b_transposed_;  // [r, N]: whole vectors of outputs, no sums across lanes
};

}  // namespace bitnet
