// SPDX-License-Identifier: MIT
// ModelConfig: the hyper-parameters of a decoder-only transformer, named as in Hugging Face
// config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  bool tie_word_embeddings = false;
  std::optional<std::uint64_t> bos_token_id;
  std::vector<std::uint64_t> eos_token_ids;  ///< config.json: one number, a list, null or absent
  std::optional<QuantizationConfig> quantization_config;
};

/// Parses the text of config.json. When a key occurs twice the last one wins, as in published
/// files. Throws FormatError naming key, expected and found.
ModelConfig parse_model_config(std::string_view config_json);

}  // namespace bitnet
