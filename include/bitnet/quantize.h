// SPDX-License-Identifier: MIT
// Floats to integers and back: absmax activations, absmean ternary weights.
// Legend: T tokens (all leading dimensions flattened), K features, N out_features.
#pragma once

#include <bitnet/config.h>
#include <bitnet/runtime.h>
#include <bitnet/tensor.h>
#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitnet {

/// x[t, k] ≈ scale(t) * data[t, k].
struct QuantizedActivations {
  std::vector<std::int8_t> data;  ///< [T, K], row-major
  std::vector<float> scales;      ///< [T], or [1] when !per_token; a scale multiplies codes back
  Shape shape;                    ///< the input's: [batch, hidden] or [batch, seq, hidden]
  bool per_token = true;

  std::size_t batch_size() const { return shape.rank() == 0 ? 1 : shape[0]; }
  std::size_t seq_len() const { return shape.rank() == 3 ? shape[1] : 1; }
  std::size_t hidden_dim() const { return shape.columns(); }
  std::size_t numel() const { return data.size(); }
  std::size_t tokens() const { return shape.rows(); }
  float scale(std::size_t token) const { return scales[per_token ? token : 0]; }
};

/// Absmax quantization of x, 2-D or 3-D (ShapeMismatch otherwise). NaN and infinities are a
/// NonFiniteError naming the first offender. An all-zero token gives zeros.
QuantizedActivations quantize_activations(const TensorView& x, const BitNetConfig& config = {},
                                          const Runtime& runtime = Runtime::serial());
/// The same into `out`, whose buffers are reused. On an error `out` holds unspecified values.
void quantize_activations(const TensorView& x, const BitNetConfig& config,
                          QuantizedActivations& out, const Runtime& runtime = Runtime::serial());

/// data * scale in the original shape. Throws ShapeMismatch when shape, data and scales disagree.
Tensor dequantize_activations(const QuantizedActivations& q,
                              const Runtime& runtime = Runtime::serial());

/// xn = x / sqrt(mean(x²) + eps) * gain for each row; an empty gain means ones. x 2-D or 3-D, gain
/// [K].
Tensor rms_norm(const TensorView& x, std::span<const float> gain, float eps,
                const Runtime& runtime = Runtime::serial());

/// The same into out [T, K], which may be x itself.
void rms_norm(const TensorView& x, std::span<const float> gain, float eps, std::span<float> out,
              const Runtime& runtime = Runtime::serial());

/// quantize_activations(rms_norm(x, gain, config.eps)), bit for bit, without storing the norm.
void rms_norm_quantize(const TensorView& x, std::span<const float> gain, const BitNetConfig& config,
                       QuantizedActivations& out, const Runtime& runtime = Runtime::serial());

/// Absmean ternarization of w [N, K] (2-D only; K divisible by group_size with Granularity::group).
TernaryWeight quantize_weights(const TensorView& w, const BitNetConfig& config = {},
                               const Runtime& runtime = Runtime::serial());

/// scale * trit, [N, K].
Tensor dequantize_weights(const TernaryWeight& w);

}  // namespace bitnet
