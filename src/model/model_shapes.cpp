// SPDX-License-Identifier: MIT
// Shapes of published models (their config.json), for measurements without their weights.
#include <bitnet/error.h>
#include <bitnet/model.h>

#include <algorithm>
#include <array>

#include "base/message.h"

namespace bitnet {
namespace {

struct NamedShape {
  std::string_view name;
  const char* architecture;
  const char* model_type;
  const char* hidden_act;
  std::uint64_t hidden, intermediate, layers, heads, key_value_heads, head_dim, vocabulary;
  bool tied;
};
constexpr std::array<NamedShape, 5> kShapes = {{
    {"2b-4t", "BitNetForCausalLM", "bitnet", "relu2", 2560, 6912, 30, 20, 5, 128, 128256, true},
    {"1bitllm-large", "BitnetForCausalLM", "llama", "silu", 1536, 4096, 24, 16, 16, 96, 32002,
     true},
    {"falcon3-1b", "LlamaForCausalLM", "llama", "silu", 2048, 8192, 18, 8, 4, 256, 131072, false},
    {"llama3-8b", "LlamaForCausalLM", "llama", "silu", 4096, 14336, 32, 32, 8, 128, 128256, false},
    {"tiny", "BitNetForCausalLM", "bitnet", "relu2", 256, 768, 2, 4, 2, 64, 512, true},
}};

}  // namespace

std::vector<std::string> model_shape_names() {
  std::vector<std::string> names(kShapes.size());
  std::ranges::transform(kShapes, names.begin(),
                         [](const NamedShape& shape) { return std::string(shape.name); });
  return names;
}

ModelConfig model_shape(std::string_view name) {
  const auto* const shape = std::ranges::find(kShapes, name, &NamedShape::name);
  if (shape == kShapes.end()) {
    std::string known;
    for (const NamedShape& entry : kShapes) {
      known += message(known.empty() ? "" : ", ", entry.name);
    }
    throw InvalidArgument(message("model shape: expected one of ", known, ", found ", name));
  }
  ModelConfig config;
  config.architectures = {shape->architecture};
  config.model_type = shape->model_type;
  config.hidden_act = shape->hidden_act;
  config.hidden_size = shape->hidden;
  config.intermediate_size = shape->intermediate;
  config.num_hidden_layers = shape->layers;
  config.num_attention_heads = shape->heads;
  config.num_key_value_heads = shape->key_value_heads;
  config.head_dim = shape->head_dim;
  config.vocab_size = shape->vocabulary;
  config.max_position_embeddings = 4096;
  config.rms_norm_eps = 1e-5;
  config.rope_theta = 500000;
  config.tie_word_embeddings = shape->tied;
  return config;
}

}  // namespace bitnet
