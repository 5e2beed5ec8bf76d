// SPDX-License-Identifier: MIT
// LoRA adapters (arXiv 2106.09685) in the files of Hugging Face PEFT.
// Legend: N out_features, K in_features, r rank.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace bitnet {

/// What an adapter adds to one projection: y += scale * B (A x).
struct LoraMatrix {
  std::string module;  ///< as the base model names it: "model.layers.0.self_attn.q_proj"
  std::size_t out_features = 0;
  std::size_t in_features = 0;
  std::vector<float> a;  ///< [r, K]
  std::vector<float> b;  ///< [N, r]
};

struct LoraAdapter {
  std::size_t rank = 0;
  double alpha = 0;
  bool use_rslora = false;
  std::string task_type = "CAUSAL_LM";  ///< PEFT's; "FEATURE_EXTRACTION" for embedding models
  std::string base_model = {};          ///< the model that it was trained on, in words
  std::vector<LoraMatrix> matrices = {};

  /// alpha / r, or alpha / √r with use_rslora.
  double scale() const;
  /// "q_proj", ...: the last parts of the modules' names, each once, in alphabetical order.
  std::vector<std::string> target_modules() const;
};

/// An adapter at work: its scale times `scale`. Several add up.
struct ScaledLora {
  LoraAdapter adapter;
  double scale = 1;
};

/// Reads a folder with adapter_config.json and adapter_model.safetensors, or that file with the
/// configuration beside it. Tensors may be f32, f16 or bf16. Throws IoError, FormatError for
/// malformed files, UnsupportedError for whatever would compute something else than LoraMatrix
/// says (DoRA, trained biases, other modules, ranks by module...), ShapeMismatch and NonFiniteError
/// naming the tensor.
LoraAdapter load_lora(const std::filesystem::path& path);

/// Writes the two files in f32, each complete or not at all, the configuration first. Throws
/// IoError, InvalidArgument for an adapter whose sizes contradict each other.
void save_lora(const LoraAdapter& adapter, const std::filesystem::path& folder);

}  // namespace bitnet
