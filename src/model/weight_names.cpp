// SPDX-License-Identifier: MIT
#include "model/weight_names.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "base/message.h"

namespace bitnet {
namespace {

constexpr std::array<ModelFamily, 7> kFamilies = {{
    {"BitNetForCausalLM", "relu2", "bitnet-b1.58", false},
    {"BitNetForCausalLM", "silu", "bitnet", false},
    {"BitnetForCausalLM", "silu", "bitnet", false},
    {"BitnetForCausalLM", "relu2", "bitnet-b1.58", false},
    {"LlamaForCausalLM", "silu", "llama", true},
    {"Qwen3Model", "silu", "qwen3", false},
    {"Qwen3ForCausalLM", "silu", "qwen3", false},
}};

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
  bool required;
};

constexpr std::array<KnownWeight, 3> kModelWeights = {{
    {"embed_tokens", "token_embd", WeightRole::embedding, Extent::vocabulary, Extent::hidden, true},
    {"norm", "output_norm", WeightRole::norm, Extent::one, Extent::hidden, true},
    // Required exactly when it is not tied to the embedding.
    {"lm_head", "output", WeightRole::embedding, Extent::vocabulary, Extent::hidden, false},
}};

/// Weights of one layer in the order of computation. Families differ in which of the optional norms
/// they have, and 1bitLLM has its own names for two of them.
constexpr std::array<KnownWeight, 15> kLayerWeights = {{
    {"input_layernorm", "attn_norm", WeightRole::norm, Extent::one, Extent::hidden, true},
    {"self_attn.q_proj", "attn_q", WeightRole::projection, Extent::query, Extent::hidden, true},
    {"self_attn.k_proj", "attn_k", WeightRole::projection, Extent::key_value, Extent::hidden, true},
    {"self_attn.v_proj", "attn_v", WeightRole::projection, Extent::key_value, Extent::hidden, true},
    {"self_attn.q_norm", "attn_q_norm", WeightRole::norm, Extent::one, Extent::head, false},
    {"self_attn.k_norm", "attn_k_norm", WeightRole::norm, Extent::one, Extent::head, false},
    {"self_attn.attn_sub_norm", "attn_sub_norm", WeightRole::norm, Extent::one, Extent::query,
     false},
    {"self_attn.inner_attn_ln", "attn_sub_norm", WeightRole::norm, Extent::one, Extent::query,
     false},
    {"self_attn.o_proj", "attn_output", WeightRole::projection, Extent::hidden, Extent::query,
     true},
    {"post_attention_layernorm", "ffn_norm", WeightRole::norm, Extent::one, Extent::hidden, true},
    {"mlp.gate_proj", "ffn_gate", WeightRole::projection, Extent::intermediate, Extent::hidden,
     true},
    {"mlp.up_proj", "ffn_up", WeightRole::projection, Extent::intermediate, Extent::hidden, true},
    {"mlp.ffn_sub_norm", "ffn_sub_norm", WeightRole::norm, Extent::one, Extent::intermediate,
     false},
    {"mlp.ffn_layernorm", "ffn_sub_norm", WeightRole::norm, Extent::one, Extent::intermediate,
     false},
    {"mlp.down_proj", "ffn_down", WeightRole::projection, Extent::hidden, Extent::intermediate,
     true},
}};

/// Removes `prefix` from the front of `text` when it is there.
bool consume_prefix(std::string_view& text, std::string_view prefix) {
  const bool found = text.starts_with(prefix);
  text.remove_prefix(found ? prefix.size() : 0);
  return found;
}

bool consume_suffix(std::string_view& text, std::string_view suffix) {
  const bool found = text.ends_with(suffix);
  text.remove_suffix(found ? suffix.size() : 0);
  return found;
}

/// "12.rest" -> 12, leaving "rest".
std::optional<std::uint64_t> consume_layer(std::string_view& text) {
  std::uint64_t layer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), layer);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || !text.substr(digits).starts_with('.')) {
    return std::nullopt;
  }
  text.remove_prefix(digits + 1);
  return layer;
}

/// What the ends of a tensor's name say about it: "<module>[.norm].weight" or
/// "<module>.weight_scale".
struct Module {
  std::string_view name;
  bool weight_scale;
  bool own_norm;  // the norm that bitnet-embedding puts in front of each projection
};

std::optional<Module> parse_module(std::string_view text) {
  if (consume_suffix(text, ".weight_scale")) {
    return Module{text, true, false};
  }
  if (!consume_suffix(text, ".weight")) {
    return std::nullopt;
  }
  const bool own_norm = text.ends_with("_proj.norm") && consume_suffix(text, ".norm");
  return Module{text, false, own_norm};
}

std::string layer_prefix(std::uint64_t layer) { return message("blk.", layer, "."); }

WeightName describe(const KnownWeight& known, const Module& module, const std::string& prefix,
                    const ModelConfig& config, const ModelFamily& family) {
  WeightName name{.gguf = prefix + std::string(known.gguf) + ".weight",
                  .role = known.role,
                  .rows = value_of(known.rows, config),
                  .columns = value_of(known.columns, config)};
  if (module.own_norm) {
    name.gguf = prefix + std::string(known.gguf) + ".norm.weight";
    name.role = WeightRole::norm;
    name.rows = 1;
  } else {
    name.permuted_rows =
        family.permutes_query_key && (known.gguf == "attn_q" || known.gguf == "attn_k");
  }
  return name;
}

}  // namespace

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

WeightName translate_weight_name(std::string_view hugging_face, const ModelConfig& config,
                                 const ModelFamily& family) {
  std::string_view rest = hugging_face;
  consume_prefix(rest, "model.");
  if (rest.ends_with("rotary_emb.inv_freq")) {
    return {.gguf = "", .role = WeightRole::redundant};
  }
  const bool in_layer = consume_prefix(rest, "layers.");
  const std::optional<std::uint64_t> layer = in_layer ? consume_layer(rest) : std::nullopt;
  if (layer && *layer >= config.num_hidden_layers) {
    throw UnsupportedError(message("tensor ", hugging_face, ": expected a layer below ",
                                   config.num_hidden_layers, " (num_hidden_layers), found ",
                                   *layer));
  }
  const std::optional<Module> module = in_layer && !layer ? std::nullopt : parse_module(rest);
  const std::span<const KnownWeight> known =
      layer ? std::span<const KnownWeight>(kLayerWeights) : kModelWeights;
  const auto weight = std::find_if(known.begin(), known.end(), [&](const KnownWeight& candidate) {
    return module && candidate.hugging_face == module->name;
  });
  if (weight == known.end() || (module->weight_scale && weight->role != WeightRole::projection)) {
    throw UnsupportedError(
        message("tensor ", hugging_face, ": no known architecture has a weight of this name"));
  }
  if (module->weight_scale) {
    return {.gguf = "", .role = WeightRole::weight_scale};
  }
  if (weight->gguf == "output" && config.tie_word_embeddings) {
    return {.gguf = "", .role = WeightRole::redundant};
  }
  WeightName name =
      describe(*weight, *module, layer ? layer_prefix(*layer) : std::string(), config, family);
  // Two places for each known weight, as a projection's own norm goes in front of it.
  name.order = 2 * static_cast<std::uint64_t>(weight - known.begin()) + (module->own_norm ? 0 : 1) +
               (layer ? (*layer + 1) * 2 * kLayerWeights.size() : 0);
  return name;
}

void require_complete(const std::set<std::string, std::less<>>& gguf_names,
                      const ModelConfig& config, const ModelFamily& family) {
  const auto require = [&](const std::string& name) {
    if (!gguf_names.contains(name)) {
      throw FormatError(message("the checkpoint: expected a tensor for ", name, ", found ",
                                gguf_names.size(), " others"));
    }
  };
  for (const KnownWeight& weight : kModelWeights) {
    if (weight.required) {
      require(std::string(weight.gguf) + ".weight");
    }
  }
  if (!config.tie_word_embeddings && family.hugging_face.ends_with("ForCausalLM")) {
    require("output.weight");
  }
  for (std::uint64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    for (const KnownWeight& weight : kLayerWeights) {
      if (weight.required) {
        require(layer_prefix(layer) + std::string(weight.gguf) + ".weight");
      }
    }
  }
}

std::uint64_t query_key_source_row(std::uint64_t row, std::uint64_t head_dim) {
  const std::uint64_t head = row / head_dim;
  const std::uint64_t j = row % head_dim / 2;
  const std::uint64_t p = row % 2;
  return head * head_dim + p * (head_dim / 2) + j;
}

std::string scale_name(std::string_view gguf_weight_name) {
  consume_suffix(gguf_weight_name, ".weight");
  return std::string(gguf_weight_name) + ".scale";
}

}  // namespace bitnet
