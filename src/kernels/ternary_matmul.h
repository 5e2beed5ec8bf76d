// SPDX-License-Identifier: MIT
// The ternary product as layers call it: padding, blocking and threads around the kernels.
#pragma once

#include <bitnet/quantize.h>
#include <bitnet/runtime.h>
#include <bitnet/ternary_weight.h>

#include <cstddef>
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
              const TernaryWeight& weight, const Runtime& runtime);
};

/// y[t, n] = Σ_k code * trit * scales + bias (kernel_table.h has the order).
struct TernaryProduct {
  const TernaryWeight* weight;       // [N, K]
  std::span<float> y;                // [T, N]
  std::span<const float> bias = {};  // [N] or empty
};

/// Up to three products of one input, whose weights share K, layout and groups: one parallel region
/// where all are multiplied, each its own where lookups serve some faster. activation_scales: [T]
/// or [1].
void ternary_matmul(std::span<const TernaryProduct> products, const ActivationPanel& x,
                    std::span<const float> activation_scales, const Runtime& runtime);

/// out[i] = f(gate[i], up[i]), as the gates of kernel_table.h.
using Gate = void (*)(const float* gate, const float* up, std::size_t n, float* out);

/// gate.y [T, N] = gate_function(product of gate, product of up), applied to rows while they are in
/// the cache; up.y [T, N] is scratch. Weights of one shape.
void gated_ternary_matmul(const TernaryProduct& gate, const TernaryProduct& up, Gate gate_function,
                          const ActivationPanel& x, std::span<const float> activation_scales,
                          const Runtime& runtime);

/// The exact sums: [T, N], with group scales [T, groups, N].
void ternary_matmul(const TernaryWeight& weight, const ActivationPanel& x,
                    std::span<std::int32_t> sums, const Runtime& runtime);

}  // namespace bitnet
