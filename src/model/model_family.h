// SPDX-License-Identifier: MIT
// ModelFamily: the architectures that we know, by their Hugging Face and GGUF names.
#pragma once

#include <span>
#include <string_view>

#include "model/model_config.h"

namespace bitnet {

/// Groups of weights that families have or lack; which tensors they are: weight_names.cpp.
enum WeightGroup : unsigned {
  kBaseWeights = 1U << 0,      // embedding, final norm, seven projections and two norms a layer
  kSubNorms = 1U << 1,         // attn_sub_norm, ffn_sub_norm
  kInnerNorms = 1U << 2,       // the same under 1bitLLM's names: inner_attn_ln, ffn_layernorm
  kQueryKeyNorms = 1U << 3,    // q_norm, k_norm: one gain per position of a head
  kSandwichNorms = 1U << 4,    // Gemma: a norm behind attention and feed-forward, too
  kProjectionNorms = 1U << 5,  // one in front of each projection, as in bitnet-embedding
};

/// What one combination of Hugging Face architecture and activation is called in GGUF.
struct ModelFamily {
  std::string_view hugging_face;  ///< config.json "architectures"
  std::string_view model_type;    ///< config.json "model_type"
  std::string_view hidden_act;    ///< config.json "hidden_act"
  std::string_view architecture;  ///< GGUF general.architecture
  unsigned weights;               ///< WeightGroups that every checkpoint has
  unsigned optional_weights;      ///< WeightGroups that it has as a whole or not at all
  bool has_head;                  ///< computes logits; false for embedding models
  bool trained_ternary;           ///< published checkpoints are ternary, or latents of ternary
  /// GGUF readers of this architecture rotate neighbouring pairs (2j, 2j + 1) where Hugging Face
  /// rotates (j, j + D/2): rows of q and k change places (query_key_source_row).
  bool permutes_query_key;
};

std::span<const ModelFamily> known_model_families();

/// By architectures and hidden_act; throws UnsupportedError listing the known combinations.
const ModelFamily& find_model_family(const ModelConfig& config);

}  // namespace bitnet
