// SPDX-License-Identifier: MIT
// BitLinear: y = x Wᵀ + b with ternary weights and int8 activations, in integer arithmetic.
#pragma once

#include <bitnet/config.h>
#include <bitnet/quantize.h>
#include <bitnet/runtime.h>
#include <bitnet/tensor.h>
#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitnet {

/// The linear layer of BitNet b1.58 (arXiv 2402.17764). Immutable after construction; forward may
/// be called from many threads. Weights stay packed: nothing is ever dequantized.
class BitLinear {
 public:
  /// Ternarizes weight [N, K] by `config`. bias is [N] or empty.
  static BitLinear from_weight(const TensorView& weight, std::span<const float> bias = {},
                               const BitNetConfig& config = {},
                               const Runtime& runtime = Runtime::serial());
  static BitLinear from_quantized(TernaryWeight weight, std::span<const float> bias = {},
                                  const BitNetConfig& config = {});

  /// The same layer with a gain [K] for its RMSNorm (used when config().use_rms_norm).
  BitLinear with_norm_weight(std::span<const float> gain) const;

  /// x [T, K] or [B, S, K] -> [.., N]: RMSNorm when config().use_rms_norm, absmax quantization,
  /// integer product, scales, bias. Throws ShapeMismatch, NonFiniteError.
  Tensor forward(const TensorView& x, const Runtime& runtime = Runtime::serial()) const;

  /// From codes that several layers share (q, k and v; gate and up). y = acc * scale_x * scale_w +
  /// b.
  Tensor forward_quantized(const QuantizedActivations& x,
                           const Runtime& runtime = Runtime::serial()) const;
  /// The same into y [T, N], row-major, no allocation after the first calls on a thread.
  void forward_quantized(const QuantizedActivations& x, std::span<float> y,
                         const Runtime& runtime = Runtime::serial()) const;

  /// The exact sums Σ_k code[t, k] * trit[n, k]: [T, N]; with group scales [T, groups, N], each
  /// over its group only.
  std::vector<std::int32_t> integer_product(const QuantizedActivations& x,
                                            const Runtime& runtime = Runtime::serial()) const;

  std::size_t in_features() const { return weight_.in_features(); }
  std::size_t out_features() const { return weight_.out_features(); }
  const TernaryWeight& weight() const { return weight_; }
  std::span<const float> bias() const { return bias_; }
  std::span<const float> norm_weight() const { return norm_weight_; }
  const BitNetConfig& config() const { return config_; }
  double sparsity() const { return weight_.sparsity(); }
  double compression_ratio() const { return weight_.compression_ratio(); }

 private:
  BitLinear(TernaryWeight weight, std::span<const float> bias, const BitNetConfig& config);

  TernaryWeight weight_;
  std::vector<float> bias_;         // [N] or empty
  std::vector<float> norm_weight_;  // [K] or empty
  BitNetConfig config_;
};

}  // namespace bitnet
