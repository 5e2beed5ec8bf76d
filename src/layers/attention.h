// SPDX-License-Identifier: MIT
// Causal attention of a batch's tokens over their own texts.
// Legend: T tokens, H query heads, G KV heads, D head_dim.
#pragma once

#include <bitnet/runtime.h>

#include <cstddef>
#include <span>

#include "layers/kv_cache.h"

namespace bitnet {

/// Where a token stands: it sees the positions of its text up to its own.
struct AttentionToken {
  PagedKvCache* cache;
  std::size_t position;
};

struct AttentionShape {
  std::size_t heads;   ///< H; head j reads KV head j / (H / G)
  float score_scale;   ///< multiplies q k, 1 / sqrt(D) as a rule
  std::size_t window;  ///< positions seen, own one included; 0: all
};

/// out[t, h] = softmax(score_scale q[t, h] Kᵀ) V over the layer's cache. queries and out [T, H, D].
void attend(std::span<const AttentionToken> tokens, std::size_t layer, const AttentionShape& shape,
            const float* queries, float* out, const Runtime& runtime);

}  // namespace bitnet
