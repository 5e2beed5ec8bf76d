// SPDX-License-Identifier: MIT
// The single place where names of Hugging Face checkpoints meet names of GGUF files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_config.h"
#include "model/model_family.h"

namespace bitnet {

enum class WeightRole {
  embedding,   ///< token_embd and output: [vocab, hidden], never ternary
  norm,        ///< a gain vector
  projection,  ///< a matrix that is ternary in a ternary model
};

struct WeightName {
  std::string hugging_face;  ///< "model.layers.0.self_attn.q_proj.weight"
  std::string gguf;          ///< "blk.0.attn_q.weight"
  WeightRole role;
  /// Required [rows, columns] of a projection or embedding, [columns] of a norm (rows = 1).
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  /// GGUF keeps the rows of q and k in another order: its row r is query_key_source_row(r).
  bool permuted_rows = false;
  /// Gemma multiplies by 1 + gain; its GGUF files hold the sum.
  bool gguf_adds_one = false;
  /// false: the group it belongs to may be missing as a whole.
  bool required = true;
};

/// Every weight that a checkpoint of the family can have, in the order of computation: embedding,
/// final norm, head (unless it is tied), then layer by layer.
std::vector<WeightName> weight_names(const ModelConfig& config, const ModelFamily& family);

/// "layers.3.mlp.up_proj.weight" of "model.layers.3.mlp.up_proj.weight": published checkpoints have
/// names with and without the prefix.
std::string_view without_model_prefix(std::string_view hugging_face);

/// Tensors that follow from other data and have no place in another file: rotary_emb.inv_freq and
/// the head of a tied model.
bool is_redundant_weight(std::string_view name, const ModelConfig& config);

/// The Hugging Face row that becomes row `row` of q or k in a permuted GGUF matrix, head_dim rows
/// to a head: new row h D + 2 j + p = old row h D + p D/2 + j.
std::uint64_t query_key_source_row(std::uint64_t row, std::uint64_t head_dim);
/// Its inverse: where a permuted GGUF matrix keeps the Hugging Face row `row`.
std::uint64_t query_key_permuted_row(std::uint64_t row, std::uint64_t head_dim);

/// "blk.0.attn_q.weight" -> "blk.0.attn_q.scale": the exact scale of a ternary matrix whose
/// encoding has no place for it.
std::string scale_name(std::string_view gguf_weight_name);

}  // namespace bitnet
