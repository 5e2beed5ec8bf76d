// SPDX-License-Identifier: MIT
#include "model/weight_names.h"

#include <array>

#include "base/message.h"

namespace bitnet {
namespace {

/// Number of rows or columns of a weight, by what it counts.
enum class Extent { one, hidden, intermediate, query, key_value, head, vocabulary };

std::uint64_t value_of(Extent extent, const ModelConfig& config) {
  switch (extent) {
    case Extent::one:
      return 1;
    case Extent::hidden:
      return config.hidden_size;
    case Extent::intermediate:
      return config.intermediate_size;
    case Extent::query:
      return config.num_attention_heads * config.head_dim;
    case Extent::key_value:
      return config.num_key_value_heads * config.head_dim;
    case Extent::head:
      return config.head_dim;
    case Extent::vocabulary:
      return config.vocab_size;
  }
  return 0;
}

struct KnownWeight {
  std::string_view hugging_face;
  std::string_view gguf;
  WeightRole role;
  Extent rows;
  Extent columns;
  unsigned groups;  // belongs to families with any of these
};

constexpr WeightRole kNorm = WeightRole::norm;
constexpr WeightRole kProjection = WeightRole::projection;

constexpr std::array<KnownWeight, 3> kModelWeights = {{
    {"embed_tokens", "token_embd", WeightRole::embedding, Extent::vocabulary, Extent::hidden,
     kBaseWeights},
    {"norm", "output_norm", kNorm, Extent::one, Extent::hidden, kBaseWeights},
    {"lm_head", "output", WeightRole::embedding, Extent::vocabulary, Extent::hidden, kBaseWeights},
}};

/// Weights of one layer in the order of computation. Gemma's four norms have their own names for
/// what the other families call ffn_norm, which is why the two cases are told apart by name below.
constexpr std::array<KnownWeight, 25> kLayerWeights = {{
    {"input_layernorm", "attn_norm", kNorm, Extent::one, Extent::hidden, kBaseWeights},
    {"self_attn.q_proj.norm", "attn_q_norm_in", kNorm, Extent::one, Extent::hidden,
     kProjectionNorms},
    {"self_attn.q_proj", "attn_q", kProjection, Extent::query, Extent::hidden, kBaseWeights},
    {"self_attn.k_proj.norm", "attn_k_norm_in", kNorm, Extent::one, Extent::hidden,
     kProjectionNorms},
    {"self_attn.k_proj", "attn_k", kProjection, Extent::key_value, Extent::hidden, kBaseWeights},
    {"self_attn.v_proj.norm", "attn_v_norm_in", kNorm, Extent::one, Extent::hidden,
     kProjectionNorms},
    {"self_attn.v_proj", "attn_v", kProjection, Extent::key_value, Extent::hidden, kBaseWeights},
    {"self_attn.q_norm", "attn_q_norm", kNorm, Extent::one, Extent::head, kQueryKeyNorms},
    {"self_attn.k_norm", "attn_k_norm", kNorm, Extent::one, Extent::head, kQueryKeyNorms},
    {"self_attn.attn_sub_norm", "attn_sub_norm", kNorm, Extent::one, Extent::query, kSubNorms},
    {"self_attn.inner_attn_ln", "attn_sub_norm", kNorm, Extent::one, Extent::query, kInnerNorms},
    {"self_attn.o_proj.norm", "attn_output_norm_in", kNorm, Extent::one, Extent::query,
     kProjectionNorms},
    {"self_attn.o_proj", "attn_output", kProjection, Extent::hidden, Extent::query, kBaseWeights},
    {"post_attention_layernorm", "post_attention_norm", kNorm, Extent::one, Extent::hidden,
     kSandwichNorms},
    {"pre_feedforward_layernorm", "ffn_norm", kNorm, Extent::one, Extent::hidden, kSandwichNorms},
    {"post_attention_layernorm", "ffn_norm", kNorm, Extent::one, Extent::hidden, kBaseWeights},
    {"mlp.gate_proj.norm", "ffn_gate_norm_in", kNorm, Extent::one, Extent::hidden,
     kProjectionNorms},
    {"mlp.gate_proj", "ffn_gate", kProjection, Extent::intermediate, Extent::hidden, kBaseWeights},
    {"mlp.up_proj.norm", "ffn_up_norm_in", kNorm, Extent::one, Extent::hidden, kProjectionNorms},
    {"mlp.up_proj", "ffn_up", kProjection, Extent::intermediate, Extent::hidden, kBaseWeights},
    {"mlp.ffn_sub_norm", "ffn_sub_norm", kNorm, Extent::one, Extent::intermediate, kSubNorms},
    {"mlp.ffn_layernorm", "ffn_sub_norm", kNorm, Extent::one, Extent::intermediate, kInnerNorms},
    {"mlp.down_proj.norm", "ffn_down_norm_in", kNorm, Extent::one, Extent::intermediate,
     kProjectionNorms},
    {"mlp.down_proj", "ffn_down", kProjection, Extent::hidden, Extent::intermediate, kBaseWeights},
    {"post_feedforward_layernorm", "post_ffw_norm", kNorm, Extent::one, Extent::hidden,
     kSandwichNorms},
}};

/// In a family with four norms post_attention_layernorm is another norm than in one with two.
bool is_shadowed(const KnownWeight& known, unsigned groups) {
  return (groups & kSandwichNorms) != 0 && known.groups == kBaseWeights &&
         known.hugging_face == "post_attention_layernorm";
}

WeightName describe(const KnownWeight& known, const std::string& hugging_face_prefix,
                    const std::string& gguf_prefix, const ModelConfig& config,
                    const ModelFamily& family) {
  WeightName name;
  name.hugging_face = hugging_face_prefix + std::string(known.hugging_face) + ".weight";
  name.gguf = gguf_prefix + std::string(known.gguf) + ".weight";
  name.role = known.role;
  name.rows = value_of(known.rows, config);
  name.columns = value_of(known.columns, config);
  name.permuted_rows =
      family.permutes_query_key && (known.gguf == "attn_q" || known.gguf == "attn_k");
  // Only Gemma's own norms; those in front of projections are BitNet's.
  name.gguf_adds_one = (family.weights & kSandwichNorms) != 0 && known.role == kNorm &&
                       known.groups != kProjectionNorms;
  name.required = (known.groups & family.weights) != 0;
  return name;
}

}  // namespace

std::vector<WeightName> weight_names(const ModelConfig& config, const ModelFamily& family) {
  const unsigned groups = family.weights | family.optional_weights;
  const std::string root = family.has_head ? "model." : "";
  std::vector<WeightName> names;
  for (const KnownWeight& known : kModelWeights) {
    const bool is_head = known.gguf == "output";
    if (!is_head || (family.has_head && !config.tie_word_embeddings)) {
      names.push_back(describe(known, is_head ? "" : root, "", config, family));
    }
  }
  for (std::uint64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    for (const KnownWeight& known : kLayerWeights) {
      if ((known.groups & groups) != 0 && !is_shadowed(known, groups)) {
        names.push_back(describe(known, message(root, "layers.", layer, "."),
                                 message("blk.", layer, "."), config, family));
      }
    }
  }
  return names;
}

std::string_view without_model_prefix(std::string_view hugging_face) {
  constexpr std::string_view kPrefix = "model.";
  return hugging_face.starts_with(kPrefix) ? hugging_face.substr(kPrefix.size()) : hugging_face;
}

bool is_redundant_weight(std::string_view name, const ModelConfig& config) {
  return name.ends_with("rotary_emb.inv_freq") ||
         (config.tie_word_embeddings && name == "lm_head.weight");
}

std::uint64_t query_key_source_row(std::uint64_t row, std::uint64_t head_dim) {
  const std::uint64_t head = row / head_dim;
  const std::uint64_t j = row % head_dim / 2;
  const std::uint64_t p = row % 2;
  return head * head_dim + p * (head_dim / 2) + j;
}

std::uint64_t query_key_permuted_row(std::uint64_t row, std::uint64_t head_dim) {
  const std::uint64_t head = row / head_dim;
  const std::uint64_t p = row % head_dim / (head_dim / 2);
  const std::uint64_t j = row % (head_dim / 2);
  return head * head_dim + 2 * j + p;
}

std::string scale_name(std::string_view gguf_weight_name) {
  constexpr std::string_view kSuffix = ".weight";
  if (gguf_weight_name.ends_with(kSuffix)) {
    gguf_weight_name.remove_suffix(kSuffix.size());
  }
  return std::string(gguf_weight_name) + ".scale";
}

}  // namespace bitnet
