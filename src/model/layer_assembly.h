// SPDX-License-Identifier: MIT
// A layer from its weights by name, whoever has them.
#pragma once

#include <bitnet/error.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/message.h"
#include "model/model_family.h"
#include "model/transformer.h"

namespace bitnet {

/// norm(gguf name) gives gains, empty when the family has no such norm; linear(prefix, name) a
/// Projection. `Layer` has the fields of LayerWeights, in their order.
template <class Layer = LayerWeights, class Norm, class Linear>
Layer assemble_layer(const ModelConfig& config, std::size_t index, const Norm& norm,
                     const Linear& linear) {
  const std::string prefix = message("blk.", index, ".");
  const auto gains = [&](const char* name) { return norm(prefix + name + ".weight"); };
  const std::uint64_t pattern = config.sliding_window_pattern;
  return {
      .attention_norm = gains("attn_norm"),
      .q_proj = linear(prefix, "attn_q"),
      .k_proj = linear(prefix, "attn_k"),
      .v_proj = linear(prefix, "attn_v"),
      .q_norm = gains("attn_q_norm"),
      .k_norm = gains("attn_k_norm"),
      .attention_sub_norm = gains("attn_sub_norm"),
      .o_proj = linear(prefix, "attn_output"),
      .attention_post_norm = gains("post_attention_norm"),
      .feed_forward_norm = gains("ffn_norm"),
      .gate_proj = linear(prefix, "ffn_gate"),
      .up_proj = linear(prefix, "ffn_up"),
      .feed_forward_sub_norm = gains("ffn_sub_norm"),
      .down_proj = linear(prefix, "ffn_down"),
      .feed_forward_post_norm = gains("post_ffw_norm"),
      .sliding = config.sliding_window.has_value() && (pattern == 0 || (index + 1) % pattern != 0)};
}

/// What positions are divided by. UnsupportedError for a scaling that is not implemented.
inline double rope_factor(const ModelConfig& config) {
  if (config.rope_scaling.empty()) {
    return 1;
  }
  if (config.rope_scaling != "linear") {
    throw UnsupportedError(
        message("rope_scaling: expected none or linear, found ", config.rope_scaling));
  }
  return config.rope_scaling_factor;
}

/// Gemma multiplies embeddings by √hidden_size.
inline float embedding_scale(const ModelConfig& config, const ModelFamily& family) {
  return family.architecture == "gemma3"
             ? static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)))
             : 1.0F;
}

}  // namespace bitnet
