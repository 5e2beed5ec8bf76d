// SPDX-License-Identifier: MIT
#include "model/model_family.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/message.h"

namespace bitnet {
namespace {

constexpr unsigned kBitNet = kBaseWeights | kSubNorms;
constexpr unsigned kOneBitLlm = kBaseWeights | kInnerNorms;
constexpr unsigned kQwen3 = kBaseWeights | kQueryKeyNorms;
constexpr unsigned kGemma3 = kBaseWeights | kQueryKeyNorms | kSandwichNorms;

// The first family with a GGUF architecture and activation is the one that such a file becomes.
// hugging face, model type, activation, GGUF, weights, optional, head, ternary, permutes q and k
constexpr std::array<ModelFamily, 11> kFamilies = {{
    {"BitNetForCausalLM", "bitnet", "relu2", "bitnet-b1.58", kBitNet, 0, true, true, false},
    {"BitnetForCausalLM", "llama", "silu", "bitnet", kOneBitLlm, 0, true, true, false},
    {"BitNetForCausalLM", "bitnet", "silu", "bitnet", kBitNet, 0, true, true, false},
    {"BitnetForCausalLM", "llama", "relu2", "bitnet-b1.58", kOneBitLlm, 0, true, true, false},
    {"LlamaForCausalLM", "llama", "silu", "llama", kBaseWeights, 0, true, false, true},
    {"Qwen3ForCausalLM", "qwen3", "silu", "qwen3", kQwen3, kProjectionNorms, true, false, false},
    {"Qwen3Model", "qwen3", "silu", "qwen3", kQwen3, kProjectionNorms, false, false, false},
    {"Gemma3ForCausalLM", "gemma3_text", "gelu_pytorch_tanh", "gemma3", kGemma3, kProjectionNorms,
     true, false, false},
    {"Gemma3TextModel", "gemma3_text", "gelu_pytorch_tanh", "gemma3", kGemma3, kProjectionNorms,
     false, false, false},
    {"Gemma3TextModel", "gemma3_text", "gelu", "gemma3", kGemma3, kProjectionNorms, false, false,
     false},
    {"Gemma3Model", "gemma3_text", "gelu_pytorch_tanh", "gemma3", kGemma3, kProjectionNorms, false,
     false, false},
}};

}  // namespace

std::span<const ModelFamily> known_model_families() { return kFamilies; }

const ModelFamily& find_model_family(const ModelConfig& config) {
  const std::string architecture =
      config.architectures.empty() ? "no architecture" : config.architectures.front();
  const auto found = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const ModelFamily& f) {
    return f.hugging_face == architecture && f.hidden_act == config.hidden_act;
  });
  if (found != kFamilies.end()) {
    return *found;
  }
  std::string known;
  for (const ModelFamily& family : kFamilies) {
    known += message(known.empty() ? "" : ", ", family.hugging_face, " with ", family.hidden_act);
  }
  throw UnsupportedError(message("config.json: expected one of the known architectures (", known,
                                 "), found ", architecture, " with ", config.hidden_act));
}

}  // namespace bitnet
