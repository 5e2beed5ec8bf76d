// SPDX-License-Identifier: MIT
// The shape of models that train in a second.
#pragma once

#include <bitnet/model_config.h>

namespace bitnet::train {

/// Without a vocabulary: the tokenizer's, or the test's.
inline ModelConfig small_config() {
  ModelConfig config;
  config.architectures = {"BitNetForCausalLM"};
  config.model_type = "bitnet";
  config.hidden_act = "relu2";
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.head_dim = 32;
  config.rms_norm_eps = 1e-5;
  config.tie_word_embeddings = true;
  return config;
}

}  // namespace bitnet::train
