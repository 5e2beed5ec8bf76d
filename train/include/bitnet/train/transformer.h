// SPDX-License-Identifier: MIT
// Transformer: every family that bitnet::load_model runs, with gradients.
// Legend: B texts, S positions, V vocabulary.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/config.h>
#include <bitnet/model_config.h>
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/functional.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::train {

/// What a LoRA adapter adds to a projection: y += scale (x Aᵀ) Bᵀ, x as it comes from the layer's
/// norm.
struct LowRankUpdate {
  torch::Tensor a;  ///< [r, K]; undefined: no update
  torch::Tensor b;  ///< [N, r]
  double scale = 0;
};

/// A projection of a layer, and the gain of the norm that some families put in front of it.
struct TernaryLinear {
  std::string name;         ///< "model.layers.0.self_attn.q_proj"
  torch::Tensor weight;     ///< [N, K], latent; undefined where it is packed
  FrozenTernaryPtr packed;  ///< instead of latents
  torch::Tensor norm;       ///< [K], or undefined
  LowRankUpdate update;

  std::int64_t out_features() const {
    return packed ? static_cast<std::int64_t>(packed->weight.out_features()) : weight.size(0);
  }
  std::int64_t in_features() const {
    return packed ? static_cast<std::int64_t>(packed->weight.in_features()) : weight.size(1);
  }
};

/// One layer; a norm that the family lacks is undefined. Shapes as in the engine's LayerWeights.
struct TransformerLayer {
  torch::Tensor attention_norm;
  TernaryLinear q_proj, k_proj, v_proj;
  torch::Tensor q_norm, k_norm;
  torch::Tensor attention_sub_norm;
  TernaryLinear o_proj;
  torch::Tensor attention_post_norm;
  torch::Tensor feed_forward_norm;
  TernaryLinear gate_proj, up_proj;
  torch::Tensor feed_forward_sub_norm;
  TernaryLinear down_proj;
  torch::Tensor feed_forward_post_norm;
  bool sliding = false;  ///< sees ModelConfig::sliding_window positions
};

struct TransformerOptions {
  /// Matrices are drawn from N(0, initializer_range²) by torch's generator; gains are ones.
  double initializer_range = 0.02;
  /// A norm in front of each projection, where the family may have them (bitnet-embedding).
  bool projection_norms = false;
  /// Packed projections, by name, instead of latent ones: the base of an adapter.
  std::function<FrozenTernaryPtr(const std::string& name)> packed = {};
};

/// A layer, and what its attention compared in the last forward pass.
struct AttentionTap {
  std::size_t layer = 0;
  AttentionInputs inputs = {};
};

/// Parameters have the names of a Hugging Face checkpoint
/// ("model.layers.0.self_attn.q_proj.weight"), and are float32 latents: codes and scales are made
/// in each forward pass.
class TransformerImpl : public torch::nn::Module {
 public:
  /// Architectures and hidden_act decide the family, as in load_model. UnsupportedError for an
  /// unknown family or RoPE scaling.
  explicit TransformerImpl(ModelConfig config, const TransformerOptions& options = {});

  const ModelConfig& config() const { return config_; }

  /// Strength of quantization: 1 as in inference, 0 a float model, between them a warm-up.
  void set_lambda(double lambda) { lambda_ = lambda; }
  double lambda() const { return lambda_; }

  /// While the module is_training(), each number that attention or feed-forward would add to the
  /// states is left out with this probability, by torch's generator.
  void set_dropout(double probability) { dropout_ = probability; }

  /// While the module is_training(), `loss` takes so much of each target for the mean of all tokens
  /// (linear_cross_entropy).
  void set_label_smoothing(double share) { label_smoothing_ = share; }

  /// Of all products but the integer ones.
  void set_precision(Precision precision) { precision_ = precision; }

  /// ids int64 [B, S] -> states behind the final norm [B, S, hidden_size]. QuantizationError
  /// names the projection whose input or weight is no longer finite. `tap` has a look at one layer.
  torch::Tensor hidden_states(const torch::Tensor& ids, AttentionTap* tap = nullptr);
  /// Logits [B, S, V]. UnsupportedError for an embedding model.
  torch::Tensor forward(const torch::Tensor& ids);
  /// Mean cross-entropy of targets int64 [B, S] in nats over those that are not kIgnoredTarget,
  /// times their number over `denominator` unless that is 0.
  torch::Tensor loss(const torch::Tensor& ids, const torch::Tensor& targets,
                     double denominator = 0);
  /// The same of states [B, S, hidden_size], and what a teacher adds (linear_cross_entropy).
  torch::Tensor loss_of_states(const torch::Tensor& states, const torch::Tensor& targets,
                               double denominator, const TeacherLogits& teacher = {}) const;

  const torch::Tensor& embedding() const { return embedding_; }
  /// The embedding where the model ties them; undefined in an embedding model.
  const torch::Tensor& head() const { return head_; }
  const std::vector<TransformerLayer>& layers() const { return layers_; }
  /// The seven of each layer, in order of computation.
  std::vector<TernaryLinear> projections() const;

  /// Puts an update with parameters NAME.lora_A.weight and NAME.lora_B.weight beside each
  /// projection whose last name is listed: A as PEFT draws it, B zero. InvalidArgument when a name
  /// fits none.
  void add_low_rank_updates(std::int64_t rank, double scale,
                            const std::vector<std::string>& target_modules);

 private:
  torch::Tensor attention(const TransformerLayer& layer, const torch::Tensor& states,
                          AttentionInputs* tapped);
  torch::Tensor feed_forward(const TransformerLayer& layer, const torch::Tensor& states);
  /// Norm(x; gain), then the linear layers, which share one quantized input unless they have norms
  /// of their own.
  std::vector<torch::Tensor> project(const torch::Tensor& x, const torch::Tensor& gain,
                                     const std::vector<const TernaryLinear*>& projections);
  std::vector<torch::Tensor> multiply(const torch::Tensor& x,
                                      const std::vector<const TernaryLinear*>& projections);
  /// Of weights that are never quantized: the head, low-rank updates.
  torch::Tensor float_linear(const torch::Tensor& x, const torch::Tensor& weight);
  torch::Tensor norm(const torch::Tensor& x, const torch::Tensor& gain) const;

  ModelConfig config_;
  BitNetConfig arithmetic_;  // b158, with the model's eps
  double lambda_ = 1;
  double dropout_ = 0;
  double label_smoothing_ = 0;
  Precision precision_ = Precision::float32;
  bool gains_add_one_ = false;  // Gemma
  double embedding_scale_ = 1;
  RotaryTable rotary_, local_rotary_;
  torch::Tensor embedding_, norm_, head_;
  std::vector<TransformerLayer> layers_;
};
TORCH_MODULE(Transformer);

}  // namespace bitnet::train
