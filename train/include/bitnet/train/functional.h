// SPDX-License-Identifier: MIT
// The parts of a transformer between its linear layers, with gradients. Float32 on the CPU takes
// fused loops over the kernels of the library; other types and devices take the same formulas in
// tensor operations. Legend: B texts, S positions, T = B S tokens, H query heads, G KV heads, D
// head_dim, V vocabulary.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace bitnet::train {

/// Of products of float matrices: bfloat16 has libtorch multiply operands and round sums of 8 bits
/// of significand, which GPUs do several times as fast. Integer products have none.
enum class Precision { float32, bfloat16 };

/// x / sqrt(mean(x²) + eps) * gain over the last dimension; an undefined gain means ones.
torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& gain, double eps);

/// Cosines and sines [P, D/2] of rotary embedding, those of inference.
struct RotaryTable {
  RotaryTable() = default;
  RotaryTable(std::int64_t head_dim, double theta, double scaling_factor, std::int64_t positions);

  torch::Tensor cosines, sines;
};

struct AttentionOptions {
  std::int64_t heads = 1;     ///< H
  std::int64_t kv_heads = 1;  ///< G, divides H: query head h reads KV head ⌊h G / H⌋
  double score_scale = 1;     ///< 1/√D
  std::int64_t window = 0;    ///< positions that a token sees, itself included; 0: all before it
  /// Ignored by the fused loops.
  Precision precision = Precision::float32;
};

/// softmax(scale R(q) R(k)ᵀ, causal) v, where R rotates the pairs (i, i + D/2) of each head by
/// position. q [B, S, H D], k and v [B, S, G D] -> [B, S, H D].
torch::Tensor causal_attention(const torch::Tensor& q, const torch::Tensor& k,
                               const torch::Tensor& v, const RotaryTable& rotary,
                               const AttentionOptions& options);

/// f(gate) ⊙ up with f of "relu2" (squared ReLU), "silu", "gelu_pytorch_tanh" or "gelu".
torch::Tensor gated_activation(const torch::Tensor& gate, const torch::Tensor& up,
                               const std::string& hidden_act);

/// Whose logits states headᵀ a student's are compared with.
struct TeacherLogits {
  torch::Tensor states;  ///< [T, K'], without gradient; undefined: no teacher
  torch::Tensor head;    ///< [V, K']
  double weight = 1;
  double temperature = 1;  ///< τ
};

/// Σ_t (-Σ_v q_tv log softmax(z_t)_v + weight τ² KL(softmax(z'_t/τ) ‖ softmax(z_t/τ))) /
/// denominator over the targets that are not negative (kIgnoredTarget), with the logits z_t = head
/// states_t and those of the teacher, z'_t. q_t is 1 at the target; label smoothing ε (Szegedy et
/// al., 1512.00567) makes it 1 - ε there and adds ε/V everywhere. states [T, K], head [V, K],
/// targets int64 [T]. The logits of some hundred tokens exist at a time.
torch::Tensor linear_cross_entropy(const torch::Tensor& states, const torch::Tensor& head,
                                   const torch::Tensor& targets, double denominator,
                                   Precision precision = Precision::float32,
                                   const TeacherLogits& teacher = {}, double label_smoothing = 0);

/// What a layer's attention compares, in front of rotation: q [B, S, H D], k and v [B, S, G D].
struct AttentionInputs {
  torch::Tensor q, k, v;
};

/// How differently two models relate the tokens of a text (MiniLM, 2012.15828; BitDistill,
/// 2510.13998): the mean over texts, heads and positions of
///   Σ_{a of q, k, v} KL(softmax(â' â'ᵀ) ‖ softmax(â âᵀ)),
/// where a, cut into `heads` vectors whatever the models' own heads, has rows â of length 1, and '
/// marks the teacher. Only positions that `counts`, bool [B, S], are looked at. InvalidArgument
/// where `heads` does not divide.
torch::Tensor attention_relation_loss(const AttentionInputs& student,
                                      const AttentionInputs& teacher, const torch::Tensor& counts,
                                      std::int64_t heads);

}  // namespace bitnet::train
