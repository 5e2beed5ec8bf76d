// SPDX-License-Identifier: MIT
// Straight-through estimators as autograd functions: quantized values forward, the identity
// backward. Legend: T tokens (all leading dimensions flattened), K features, N out_features.
#pragma once

#include <bitnet/config.h>
#include <torch/types.h>

namespace bitnet::train {

/// x + lambda (x̂ - x) with x̂ = quantize_activations(x) times its scales; the gradient passes
/// unchanged to x (arXiv 2402.17764; docs/numerics.md). No gradient goes through a scale and
/// nothing is clipped. x [.., K] of any float type on any device; float32 on the CPU runs the
/// kernels of the library, so that its codes are those of inference. lambda 0 gives x, 1 the
/// quantized values; between them lies the warm-up of a float model. With config.enable_ste false
/// the result has no gradient. NonFiniteError for NaN or infinity (float32 on the CPU),
/// InvalidConfig.
torch::Tensor absmax_ste(const torch::Tensor& x, const BitNetConfig& config = {},
                         double lambda = 1);

/// The same for weights w [N, K]: ŵ = trits times absmean scales. ShapeMismatch unless w is 2-D and
/// K divides into groups.
torch::Tensor absmean_ste(const torch::Tensor& w, const BitNetConfig& config = {},
                          double lambda = 1);

/// absmax_ste under the name of the Rust crate.
inline torch::Tensor quantize_ste(const torch::Tensor& x, const BitNetConfig& config = {}) {
  return absmax_ste(x, config);
}

}  // namespace bitnet::train
