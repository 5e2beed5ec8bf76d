// SPDX-License-Identifier: MIT
// The single place where names of Hugging Face checkpoints meet names of GGUF files.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "model/model_config.h"

namespace bitnet {

/// What one combination of Hugging Face architecture and activation is called in GGUF.
struct ModelFamily {
  std::string_view hugging_face;  ///< config.json "architectures"
  std::string_view hidden_act;    ///< config.json "hidden_act"
  std::string_view architecture;  ///< GGUF general.architecture
  /// GGUF readers of this architecture rotate neighbouring pairs (2j, 2j + 1) where Hugging Face
  /// rotates (j, j + D/2): rows of q and k change places (query_key_source_row).
  bool permutes_query_key;
};

/// Throws UnsupportedError listing the known combinations.
const ModelFamily& find_model_family(const ModelConfig& config);

enum class WeightRole {
  embedding,     ///< token_embd and output: [vocab, hidden], kept as stored
  norm,          ///< a gain vector, written as F32
  projection,    ///< a ternary matrix
  weight_scale,  ///< belongs to a packed projection of the checkpoint; no tensor of its own in GGUF
  redundant,     ///< follows from other data: rotary_emb.inv_freq, the head of a tied model
};

struct WeightName {
  std::string gguf;  ///< empty for weight_scale and redundant
  WeightRole role;
  /// Required [rows, columns] of a projection or embedding, [columns] of a norm (rows = 1).
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  /// Rows change places on the way to GGUF: row r comes from query_key_source_row(r).
  bool permuted_rows = false;
  /// Position in a GGUF file of ours: embeddings, output norm, then layer by layer.
  std::uint64_t order = 0;
};

/// Translates a Hugging Face tensor name, with or without the leading "model.". Throws
/// UnsupportedError for a tensor that no known family has, or a layer beyond num_hidden_layers.
WeightName translate_weight_name(std::string_view hugging_face, const ModelConfig& config,
                                 const ModelFamily& family);

/// Throws FormatError naming the first tensor that a complete model must have and gguf_names lacks:
/// embedding, norms, the projections of each layer, the head unless it is tied.
void require_complete(const std::set<std::string, std::less<>>& gguf_names,
                      const ModelConfig& config, const ModelFamily& family);

/// The Hugging Face row that becomes row `row` of q or k, head_dim rows to a head:
/// new row h D + 2 j + p = old row h D + p D/2 + j.
std::uint64_t query_key_source_row(std::uint64_t row, std::uint64_t head_dim);

/// "blk.0.attn_q.weight" -> "blk.0.attn_q.scale": the exact scale of a ternary matrix whose
/// encoding has no place for it.
std::string scale_name(std::string_view gguf_weight_name);

}  // namespace bitnet
