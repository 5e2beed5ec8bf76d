// SPDX-License-Identifier: MIT
// Rotary position embedding (RoFormer, arXiv 2104.09864) in Hugging Face's layout.
#pragma once

#include <cstddef>

#include "base/aligned_vector.h"
#include "kernels/kernel_table.h"

namespace bitnet {

/// Turns the pairs (i, i + D/2) of a head by position * theta^(-2i/D) / scaling_factor. The table
/// is computed with additions and products of double alone, the same on every machine.
class RotaryEmbedding {
 public:
  RotaryEmbedding(std::size_t head_dim, double theta, double scaling_factor,
                  std::size_t max_positions);

  /// x [D] at `position`, in place.
  void apply(float* x, std::size_t position, const kernels::KernelTable& kernels) const {
    const std::size_t at = position * half_;
    kernels.rotate(x, cosines_.data() + at, sines_.data() + at, half_);
  }

 private:
  std::size_t half_;
  AlignedVector<float> cosines_;  // [positions, D/2]
  AlignedVector<float> sines_;    // [positions, D/2]
};

}  // namespace bitnet
