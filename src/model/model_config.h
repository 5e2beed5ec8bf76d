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
  std::string rope_scaling;        ///< "" for none, else what config.json calls it: "linear"
  double rope_scaling_factor = 1;  ///< of "linear"
  std::optional<double> rope_local_theta;  ///< of sliding-window layers, when they have their own
  std::optional<std::uint64_t> sliding_window;
  bool tie_word_embeddings = false;
  std::string pooling;  ///< of an embedding model: "mean", "cls" or "last"; "" for none
  std::optional<std::uint64_t> bos_token_id;
  std::optional<std::uint64_t> pad_token_id;
  std::vector<std::uint64_t> eos_token_ids;  ///< config.json: one number, a list, null or absent
  std::optional<QuantizationConfig> quantization_config;
};

/// Parses the text of config.json. When a key occurs twice the last one wins, as in published
/// files. Throws FormatError naming key, expected and found.
ModelConfig parse_model_config(std::string_view config_json);

/// eos_token_id of the text of generation_config.json: one number, a list, null or absent.
std::vector<std::uint64_t> parse_generation_ends(std::string_view generation_json);

/// "last" from the text of 1_Pooling/config.json, which sentence-transformers puts beside an
/// embedding model. FormatError unless exactly one mode of mean, cls and lasttoken is on.
std::string parse_pooling(std::string_view pooling_json);

/// Positive and below 2^31, as GGUF's uint32 keys and our arithmetic need sizes to be.
inline constexpr std::uint64_t kMaxModelSize = 0x7fffffff;

}  // namespace bitnet
