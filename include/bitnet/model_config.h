// SPDX-License-Identifier: MIT
// ModelConfig: the hyper-parameters of a decoder-only transformer, named as in Hugging Face
// config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bitnet {

/// Which layer class of Hugging Face transformers the checkpoint was made for. It decides what a
/// stored weight_scale means: "bitlinear" divides by it, "autobitlinear" multiplies.
struct QuantizationConfig {
  std::string linear_class = "bitlinear";
  std::string quantization_mode = "offline";
};

struct ModelConfig {
  std::vector<std::string> architectures;
  std::string model_type;
  std::string hidden_act;
  // Positive and below 2^31, so that a product of two never overflows 64 bits.
  std::uint64_t hidden_size = 0;
  std::uint64_t intermediate_size = 0;
  std::uint64_t num_hidden_layers = 0;
  std::uint64_t num_attention_heads = 0;
  std::uint64_t num_key_value_heads = 0;  ///< divides num_attention_heads
  std::uint64_t head_dim = 0;             ///< even: rotary embedding turns pairs
  std::uint64_t vocab_size = 0;
  std::uint64_t max_position_embeddings = 0;
  double rms_norm_eps = 0;
  double rope_theta = 10000;
  std::string rope_scaling;        ///< "" for none, else what config.json calls it: "linear"
  double rope_scaling_factor = 1;  ///< of "linear"
  std::optional<double> rope_local_theta;  ///< of sliding-window layers, when they have their own
  std::optional<std::uint64_t> sliding_window;  ///< positions that a token sees, itself included
  /// Each layer of this number, counted from 1, sees everything all the same; 0: none does.
  std::uint64_t sliding_window_pattern = 0;
  /// Attention scores are divided by its square root; absent: by that of head_dim.
  std::optional<double> query_pre_attn_scalar;
  bool tie_word_embeddings = false;
  std::string pooling;  ///< of an embedding model: "mean", "cls" or "last"; "" for none
  std::optional<std::uint64_t> bos_token_id;
  std::optional<std::uint64_t> pad_token_id;
  std::vector<std::uint64_t> eos_token_ids;  ///< config.json: one number, a list, null or absent
  std::optional<QuantizationConfig> quantization_config;
};

}  // namespace bitnet
