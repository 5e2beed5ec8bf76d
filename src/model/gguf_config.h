// SPDX-License-Identifier: MIT
// ModelConfig and family of a GGUF file, from its key-values.
#pragma once

#include <bitnet/checkpoint.h>

#include <optional>
#include <string>
#include <vector>

#include "model/model_config.h"

namespace bitnet {

struct GgufConfig {
  ModelConfig config;  ///< architectures and model_type as a Hugging Face config.json would say
  /// What was decided because the file does not say it: the activation function, above all.
  std::vector<std::string> notes;
};

/// bitnet, bitnet-25, bitnet-b1.58, llama, qwen3 and gemma3. The activation is, in this order,
/// `hidden_act` (the user's word), the key <architecture>.hidden_activation, or what models of that
/// architecture and vocabulary have; the last is noted. Throws UnsupportedError for another
/// architecture, FormatError naming a key that is missing or holds no sensible value.
GgufConfig parse_gguf_config(const Checkpoint& checkpoint,
                             const std::optional<std::string>& hidden_act = std::nullopt);

}  // namespace bitnet
