// SPDX-License-Identifier: MIT
#include "model/hugging_face_config.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace bitnet {
namespace {

using Json = nlohmann::ordered_json;

/// The shortest decimal that is the same float: GGUF holds floats, and 1e-5F as a double would
/// print as 0.000009999999747378752.
double shortest(double value) {
  std::array<char, 32> text;
  const auto printed =
      std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(value));
  double result = 0;
  std::from_chars(text.data(), printed.ptr, result);
  return result;
}

Json id_or_list(const std::vector<std::uint64_t>& ids) {
  return ids.size() == 1 ? Json(ids.front()) : Json(ids);
}

Json quantization_config(const StoredAs& stored) {
  return {{"quant_method", "bitnet"},
          {"linear_class", "autobitlinear"},
          {"quantization_mode", stored.packed ? "offline" : "online"},
          {"modules_to_not_convert", {"lm_head"}}};
}

Json from_scratch(const ModelConfig& config) {
  Json json;
  json["architectures"] = config.architectures;
  json["model_type"] = config.model_type;
  json[config.model_type.starts_with("gemma") ? "hidden_activation" : "hidden_act"] =
      config.hidden_act;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_attention_heads"] = config.num_attention_heads;
  json["num_key_value_heads"] = config.num_key_value_heads;
  json["head_dim"] = config.head_dim;
  json["vocab_size"] = config.vocab_size;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["rms_norm_eps"] = shortest(config.rms_norm_eps);
  json["rope_theta"] = shortest(config.rope_theta);
  if (config.rope_local_theta) {
    json["rope_local_base_freq"] = shortest(*config.rope_local_theta);
  }
  if (!config.rope_scaling.empty()) {
    json["rope_scaling"] = {{"rope_type", config.rope_scaling},
                            {"factor", shortest(config.rope_scaling_factor)}};
  }
  if (config.sliding_window) {
    json["sliding_window"] = *config.sliding_window;
    if (config.sliding_window_pattern != 0) {
      json["sliding_window_pattern"] = config.sliding_window_pattern;
    }
  }
  if (config.query_pre_attn_scalar) {
    json["query_pre_attn_scalar"] = *config.query_pre_attn_scalar;
  }
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  if (config.bos_token_id) {
    json["bos_token_id"] = *config.bos_token_id;
  }
  if (!config.eos_token_ids.empty()) {
    json["eos_token_id"] = id_or_list(config.eos_token_ids);
  }
  if (config.pad_token_id) {
    json["pad_token_id"] = *config.pad_token_id;
  }
  json["attention_bias"] = false;
  json["use_cache"] = true;
  return json;
}

}  // namespace

std::string hugging_face_config(const ModelConfig& config, const StoredAs& stored,
                                const std::string& original) {
  Json json = original.empty() ? from_scratch(config) : Json::parse(original);
  json.erase("dtype");
  json["torch_dtype"] = stored.torch_dtype;
  if (stored.packed || stored.latent) {
    json["quantization_config"] = quantization_config(stored);
  } else {
    json.erase("quantization_config");
  }
  return json.dump(2) + "\n";
}

std::string hugging_face_generation_config(const ModelConfig& config) {
  Json json = Json::object();
  if (config.bos_token_id) {
    json["bos_token_id"] = *config.bos_token_id;
  }
  if (!config.eos_token_ids.empty()) {
    json["eos_token_id"] = id_or_list(config.eos_token_ids);
  }
  return json.dump(2) + "\n";
}

std::string hugging_face_pooling(const ModelConfig& config) {
  const Json json = {{"word_embedding_dimension", config.hidden_size},
                     {"pooling_mode_cls_token", config.pooling == "cls"},
                     {"pooling_mode_mean_tokens", config.pooling == "mean"},
                     {"pooling_mode_lasttoken", config.pooling == "last"},
                     {"include_prompt", true}};
  return json.dump(2) + "\n";
}

std::string hugging_face_modules() {
  Json modules = Json::array();
  for (const auto& [index, path, type] :
       {std::tuple{0, "", "Transformer"}, std::tuple{1, "1_Pooling", "Pooling"},
        std::tuple{2, "2_Normalize", "Normalize"}}) {
    modules.push_back({{"idx", index},
                       {"name", std::to_string(index)},
                       {"path", path},
                       {"type", std::string("sentence_transformers.models.") + type}});
  }
  return modules.dump(2) + "\n";
}

}  // namespace bitnet
