// SPDX-License-Identifier: MIT
// The ternary product as layers call it: padding, blocking and threads around the kernels.
#pragma once

#include <bitnet/quantize.h>
#include <bitnet/runtime.h>
#include <bitnet/ternary_weight.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_vector.h"

namespace bitnet {

/// Codes [T, K] laid out for a weight's kernels: rows padded with zeros to whole steps, and the sum
/// of each row (with group scales, of each group).
struct ActivationPanel {
  AlignedVector<std::int8_t> codes;       // [T, stride]
  AlignedVector<std::int32_t> code_sums;  // [T, groups]
  std::size_t stride = 0;
  std::size_t tokens = 0;

  /// Throws ShapeMismatch unless codes is [tokens, weight.in_features()].
  void assign(std::span<const std::int8_t> values, std::size_t token_count,
              const TernaryWeight& weight);
};

/// y[t, n] = Σ_k code * trit * scales + bias (kernel_table.h has the order). scales: [T] or [1];
/// bias [N] or empty; y [T, N].
void ternary_matmul(const TernaryWeight& weight, const ActivationPanel& x,
                    std::span<const float> activation_scales, std::span<const float> bias,
                    std::span<float> y, const Runtime& runtime);

/// The exact sums: [T, N], with group scales [T, groups, N].
void ternary_matmul(const TernaryWeight& weight, const ActivationPanel& x,
                    std::span<std::int32_t> sums, const Runtime& runtime);

}  // namespace bitnet
