// SPDX-License-Identifier: MIT
// ModelConfig as the text of a Hugging Face config.json.
#pragma once

#include <string>

#include "model/model_config.h"

namespace bitnet {

/// How the weights beside the config.json are stored.
struct StoredAs {
  bool packed;              ///< U8 codes, each with a weight_scale that multiplies
  bool latent;              ///< floats that are ternarized when the model runs
  std::string torch_dtype;  ///< "bfloat16"
};

/// `original` is the config.json that the model came with: its other keys are kept. Empty for a
/// model from a GGUF file.
std::string hugging_face_config(const ModelConfig& config, const StoredAs& stored,
                                const std::string& original);

/// generation_config.json: the ids of beginning and end.
std::string hugging_face_generation_config(const ModelConfig& config);

/// 1_Pooling/config.json of sentence-transformers; modules.json names it.
std::string hugging_face_pooling(const ModelConfig& config);
std::string hugging_face_modules();

}  // namespace bitnet
