// SPDX-License-Identifier: MIT
#include "model/gguf_metadata.h"

#include <bitnet/error.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

/// llama.cpp's LLAMA_FTYPE numbers; 40 is bitnet.cpp's.
std::uint32_t file_type(Encoding matrices) {
  switch (matrices) {
    case Encoding::f32:
      return 0;
    case Encoding::q4_0:
      return 2;
    case Encoding::q8_0:
      return 7;
    case Encoding::q4_k:
      return 15;
    case Encoding::q6_k:
      return 18;
    case Encoding::bf16:
      return 32;
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

/// GGUF's llama_pooling_type.
std::uint32_t pooling_type(const std::string& pooling) {
  return pooling == "mean" ? 1 : pooling == "cls" ? 2 : 3;
}

}  // namespace

std::vector<GgufKeyValue> gguf_metadata(const ModelConfig& config, const std::string& architecture,
                                        Encoding matrices) {
  std::vector<GgufKeyValue> result;
  const auto add = [&](std::string key, GgufValue value) {
    result.push_back({std::move(key), std::move(value)});
  };
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
  if (config.sliding_window) {
    add_size(".attention.sliding_window", *config.sliding_window);
  }
  add(architecture + ".attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_norm_eps));
  add(architecture + ".rope.freq_base", static_cast<float>(config.rope_theta));
  if (config.rope_local_theta) {
    add(architecture + ".rope.freq_base_swa", static_cast<float>(*config.rope_local_theta));
  }
  if (config.rope_scaling == "linear") {
    add(architecture + ".rope.scaling.type", std::string("linear"));
    add(architecture + ".rope.scaling.factor", static_cast<float>(config.rope_scaling_factor));
  } else if (!config.rope_scaling.empty()) {
    throw UnsupportedError(
        message("rotary embedding: expected none or linear scaling, found ", config.rope_scaling));
  }
  if (!config.pooling.empty()) {
    add(architecture + ".pooling_type", pooling_type(config.pooling));
  }
  // Other programs ignore this key: to them the architecture implies the activation.
  add(architecture + ".hidden_activation", config.hidden_act);
  add("general.file_type", file_type(matrices));
  add("general.quantization_version", std::uint32_t{2});
  return result;
}

}  // namespace bitnet
