// SPDX-License-Identifier: MIT
// BitLinear with gradients: a torch::nn::Module in the place of torch::nn::Linear.
// Legend: T tokens (all leading dimensions flattened), K in_features, N out_features.
#pragma once

#include <bitnet/bit_linear.h>
#include <bitnet/config.h>
#include <bitnet/ternary_weight.h>
#include <bitnet/train/functional.h>
#include <torch/custom_class.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace bitnet::train {

/// y_i [.., N_i] = x' w_i'ᵀ for layers with one input x [.., K] (q, k and v; gate and up), which is
/// quantized once. x' = x + lambda (x̂ - x), w' likewise; backward, straight through,
///   dx = Σ_i dy_i w_i',   dw_i = dy_iᵀ x'.
/// With lambda 1 and float32 on the CPU the product is that of the integer kernels, the same
/// numbers as bitnet::BitLinear gives; lambda 0 is a float layer. `precision` is that of all other
/// products. Throws as absmax_ste and absmean_ste.
std::vector<torch::Tensor> bit_linear(const torch::Tensor& x,
                                      const std::vector<torch::Tensor>& weights,
                                      const BitNetConfig& config, double lambda = 1,
                                      Precision precision = Precision::float32);

/// A packed matrix that does not learn: the base of an adapter.
struct FrozenTernary : torch::CustomClassHolder {
  explicit FrozenTernary(bitnet::TernaryWeight ternary) : weight(std::move(ternary)) {}
  bitnet::TernaryWeight weight;
};
using FrozenTernaryPtr = c10::intrusive_ptr<FrozenTernary>;

/// y_i = x̂ ŵ_iᵀ by the integer kernels, with a gradient for x alone: dx = Σ_i dy_i ŵ_i, for which
/// each matrix is unpacked and dropped again. x float32 on the CPU.
std::vector<torch::Tensor> bit_linear(const torch::Tensor& x,
                                      const std::vector<FrozenTernaryPtr>& weights,
                                      const BitNetConfig& config);

/// What torch::nn::LinearOptions says, and how to quantize.
struct BitLinearOptions {
  BitLinearOptions(std::int64_t in, std::int64_t out) : in_features(in), out_features(out) {}

  std::int64_t in_features;
  std::int64_t out_features;
  bool with_bias = true;
  /// use_rms_norm puts a norm in front of the quantizer.
  BitNetConfig config = BitNetConfig{};
  /// That norm has a gain to learn (parameter "norm_weight").
  bool with_norm_weight = false;

  BitLinearOptions& bias(bool value) { return with_bias = value, *this; }
  BitLinearOptions& quantization(const BitNetConfig& value) { return config = value, *this; }
  BitLinearOptions& norm_weight(bool value) { return with_norm_weight = value, *this; }
};

/// Parameters "weight" [N, K] (latent: what the optimizer moves), "bias" [N], "norm_weight" [K].
class BitLinearImpl : public torch::nn::Cloneable<BitLinearImpl> {
 public:
  BitLinearImpl(std::int64_t in_features, std::int64_t out_features)
      : BitLinearImpl(BitLinearOptions(in_features, out_features)) {}
  explicit BitLinearImpl(const BitLinearOptions& options);
  /// With the parameters of a float layer, shared: the layer in its place continues its training.
  explicit BitLinearImpl(const torch::nn::Linear& linear, const BitNetConfig& config = {});

  void reset() override;
  /// Uniform in ±1/√K, as torch::nn::Linear.
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  /// x [.., K] -> [.., N]
  torch::Tensor forward(const torch::Tensor& x);

  /// The layer for inference: its codes are those of forward with lambda 1.
  bitnet::BitLinear to_inference() const;

  BitLinearOptions options;
  torch::Tensor weight, bias, norm_weight;  // the last two may be undefined
  double lambda = 1;                        // strength of quantization
};
TORCH_MODULE(BitLinear);

}  // namespace bitnet::train
