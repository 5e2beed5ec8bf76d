// SPDX-License-Identifier: MIT
#include "model/gguf_metadata.h"

#include <cstdint>
#include <string>

namespace bitnet {
namespace {

/// llama.cpp's LLAMA_FTYPE numbers; 40 is bitnet.cpp's.
std::uint32_t file_type(Encoding ternary) {
  switch (ternary) {
    case Encoding::q4_0:
      return 2;
    case Encoding::tq1_0:
      return 36;
    case Encoding::tq2_0:
      return 37;
    case Encoding::i2_s:
      return 40;
    case Encoding::q2_0:
      return 41;
    default:
      return 1;  // f16
  }
}

}  // namespace

std::vector<GgufKeyValue> gguf_metadata(const ModelConfig& config, const ModelFamily& family,
                                        Encoding ternary) {
  std::vector<GgufKeyValue> result;
  const auto add = [&](std::string key, GgufValue value) {
    result.push_back({std::move(key), std::move(value)});
  };
  const std::string architecture(family.architecture);
  const auto add_size = [&](const char* key, std::uint64_t value) {
    add(architecture + key, static_cast<std::uint32_t>(value));
  };
  add("general.architecture", architecture);
  add_size(".vocab_size", config.vocab_size);
  add_size(".context_length", config.max_position_embeddings);
  add_size(".embedding_length", config.hidden_size);
  add_size(".block_count", config.num_hidden_layers);
  add_size(".feed_forward_length", config.intermediate_size);
  add_size(".rope.dimension_count", config.head_dim);
  add_size(".attention.head_count", config.num_attention_heads);
  add_size(".attention.head_count_kv", config.num_key_value_heads);
  if (config.head_dim * config.num_attention_heads != config.hidden_size) {
    add_size(".attention.key_length", config.head_dim);
    add_size(".attention.value_length", config.head_dim);
  }
  add(architecture + ".attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_norm_eps));
  add(architecture + ".rope.freq_base", static_cast<float>(config.rope_theta));
  // Other programs ignore this key: to them the architecture implies the activation.
  add(architecture + ".hidden_activation", config.hidden_act);
  add("general.file_type", file_type(ternary));
  add("general.quantization_version", std::uint32_t{2});
  return result;
}

}  // namespace bitnet
