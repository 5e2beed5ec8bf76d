// SPDX-License-Identifier: MIT
#include "model/model_config.h"

#include <bitnet/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/checked_json.h"
#include "base/message.h"

namespace bitnet {
namespace {

using Json = nlohmann::json;

constexpr const char* kGenerationConfig = "generation_config.json";

/// Typed access to the keys of one JSON object; `path` (file, keys) leads to it, for messages.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string file, std::string path = "")
      : object_(object), file_(std::move(file)), path_(std::move(path)) {}

  /// nullptr when the key is absent or null, which published files use alike.
  const Json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  [[noreturn]] void fail(const char* key, const std::string& expected) const {
    const auto found = object_.find(key);
    throw FormatError(message(file_, ": key \"", path_, key, "\": expected ", expected, ", found ",
                              found == object_.end() ? "no such key" : describe_json(*found)));
  }

  /// A number of things: 1..2^31-1.
  std::uint64_t size(const char* key, std::optional<std::uint64_t> fallback = std::nullopt) const {
    const Json* value = find(key);
    if (value == nullptr && fallback) {
      return *fallback;
    }
    if (value == nullptr || !value->is_number_unsigned() || *value == 0U ||
        *value > kMaxModelSize) {
      fail(key, "a positive integer below 2^31");
    }
    return value->get<std::uint64_t>();
  }

  double positive(const char* key, std::optional<double> fallback = std::nullopt) const {
    const Json* value = find(key);
    if (value == nullptr && fallback) {
      return *fallback;
    }
    // GGUF and the arithmetic hold it as a float.
    if (value == nullptr || !value->is_number() ||
        !(value->get<double>() >= std::numeric_limits<float>::min()) ||
        !(value->get<double>() <= std::numeric_limits<float>::max())) {
      fail(key, "a positive number");
    }
    return value->get<double>();
  }

  double non_negative(const char* key, double fallback) const {
    const Json* value = find(key);
    if (value != nullptr && (!value->is_number() || !(value->get<double>() >= 0) ||
                             !(value->get<double>() <= std::numeric_limits<float>::max()))) {
      fail(key, "a number that is not negative");
    }
    return value == nullptr ? fallback : value->get<double>();
  }

  std::string text(const char* key, std::optional<std::string> fallback = std::nullopt) const {
    const Json* value = find(key);
    if (value == nullptr && fallback) {
      return *fallback;
    }
    if (value == nullptr || !value->is_string()) {
      fail(key, "a string");
    }
    return value->get<std::string>();
  }

  bool flag(const char* key, bool fallback) const {
    const Json* value = find(key);
    if (value != nullptr && !value->is_boolean()) {
      fail(key, "true or false");
    }
    return value == nullptr ? fallback : value->get<bool>();
  }

  /// One token id, a list of them, or none.
  std::vector<std::uint64_t> token_ids(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return {};
    }
    std::vector<std::uint64_t> ids;
    const auto append = [&](const Json& id) {
      if (id == -1) {
        return;  // what some published files write for "none"
      }
      if (!id.is_number_unsigned() || id > kMaxModelSize) {
        fail(key, "token ids");
      }
      ids.push_back(id.get<std::uint64_t>());
    };
    if (value->is_array()) {
      std::for_each(value->begin(), value->end(), append);
    } else {
      append(*value);
    }
    return ids;
  }

  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> result;
    if (const Json* value = find(key)) {
      if (!value->is_array()) {
        fail(key, "a list of strings");
      }
      for (const Json& entry : *value) {
        if (!entry.is_string()) {
          fail(key, "a list of strings");
        }
        result.push_back(entry.get<std::string>());
      }
    }
    return result;
  }

  std::optional<ObjectReader> object(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    if (!value->is_object()) {
      fail(key, "an object");
    }
    return ObjectReader(*value, file_, path_ + key + ".");
  }

 private:
  const Json& object_;
  std::string file_;
  std::string path_;
};

std::uint64_t parse_head_dim(const ObjectReader& object, const ModelConfig& config) {
  const std::uint64_t head_dim =
      object.size("head_dim", config.hidden_size / config.num_attention_heads);
  if (object.find("head_dim") == nullptr && config.hidden_size % config.num_attention_heads != 0) {
    object.fail("num_attention_heads", message("a divisor of hidden_size ", config.hidden_size,
                                               " (there is no head_dim)"));
  }
  if (head_dim == 0 || head_dim % 2 != 0) {
    object.fail("head_dim", message("an even number (rotary embedding turns pairs); it is ",
                                    head_dim, " here"));
  }
  return head_dim;
}

std::uint64_t parse_key_value_heads(const ObjectReader& object, std::uint64_t heads) {
  const std::uint64_t key_value_heads = object.size("num_key_value_heads", heads);
  if (heads % key_value_heads != 0) {
    object.fail("num_key_value_heads", message("a divisor of num_attention_heads ", heads));
  }
  return key_value_heads;
}

/// Newer files nest it: rope_parameters.rope_theta.
double parse_rope_theta(const ObjectReader& object) {
  constexpr double kUsual = 10000;
  const std::optional<ObjectReader> nested = object.object("rope_parameters");
  return object.positive("rope_theta", nested ? nested->positive("rope_theta", kUsual) : kUsual);
}

std::optional<QuantizationConfig> parse_quantization(const ObjectReader& object) {
  const std::optional<ObjectReader> nested = object.object("quantization_config");
  if (!nested) {
    return std::nullopt;
  }
  QuantizationConfig result;
  result.linear_class = nested->text("linear_class", result.linear_class);
  result.quantization_mode = nested->text("quantization_mode", result.quantization_mode);
  return result;
}

/// When a key occurs twice the last one wins, as in published files.
Json parse_object(std::string_view text, const char* file) {
  Json json = parse_checked_json(text, file, {.max_depth = 64, .unique_keys = false});
  if (!json.is_object()) {
    throw FormatError(message(file, ": expected an object, found ", json.type_name()));
  }
  return json;
}

/// Gemma's files have a key of their own for it.
std::string parse_hidden_act(const ObjectReader& object) {
  return object.find("hidden_act") == nullptr && object.find("hidden_activation") != nullptr
             ? object.text("hidden_activation")
             : object.text("hidden_act");
}

void parse_rope(const ObjectReader& object, ModelConfig& config) {
  config.rope_theta = parse_rope_theta(object);
  if (object.find("rope_local_base_freq") != nullptr) {
    config.rope_local_theta = object.positive("rope_local_base_freq");
  }
  // Newer files hold the scaling in rope_parameters, where "default" means none.
  const std::optional<ObjectReader> scaling =
      object.object(object.find("rope_scaling") != nullptr ? "rope_scaling" : "rope_parameters");
  if (!scaling) {
    return;
  }
  const std::string type =
      scaling->text("rope_type", scaling->text("type", std::string("default")));
  if (type != "default" && type != "none") {
    config.rope_scaling = type;
    config.rope_scaling_factor = scaling->positive("factor", 1.0);
  }
}

/// Which layers ignore the window: Gemma's files say each sixth by default, or list all layers.
std::uint64_t parse_window_pattern(const ObjectReader& object, const ModelConfig& config) {
  constexpr std::uint64_t kGemma3 = 6;
  const bool is_gemma = config.model_type.starts_with("gemma3");
  const std::uint64_t pattern = object.find("sliding_window_pattern") != nullptr
                                    ? object.size("sliding_window_pattern")
                                : is_gemma ? kGemma3
                                           : 0;
  const std::vector<std::string> types = object.texts("layer_types");
  if (types.empty()) {
    return pattern;
  }
  const auto full = std::find(types.begin(), types.end(), "full_attention");
  const auto listed =
      full == types.end() ? 0 : static_cast<std::uint64_t>(full - types.begin()) + 1;
  for (std::size_t layer = 0; layer < types.size(); ++layer) {
    const bool is_full = listed != 0 && (layer + 1) % listed == 0;
    if (types[layer] != (is_full ? "full_attention" : "sliding_attention")) {
      object.fail("layer_types", "each n-th layer with full_attention, sliding_attention else");
    }
  }
  return listed;
}

std::optional<std::uint64_t> parse_token_id(const ObjectReader& object, const char* key) {
  const std::vector<std::uint64_t> ids = object.token_ids(key);
  if (ids.size() > 1) {
    object.fail(key, "one token id");
  }
  return ids.empty() ? std::nullopt : std::optional(ids.front());
}

}  // namespace

ModelConfig parse_model_config(std::string_view config_json) {
  const Json json = parse_object(config_json, "config.json");
  const ObjectReader object(json, "config.json");
  ModelConfig config;
  config.architectures = object.texts("architectures");
  config.model_type = object.text("model_type", "");
  config.hidden_act = parse_hidden_act(object);
  config.hidden_size = object.size("hidden_size");
  config.intermediate_size = object.size("intermediate_size");
  config.num_hidden_layers = object.size("num_hidden_layers");
  config.num_attention_heads = object.size("num_attention_heads");
  config.num_key_value_heads = parse_key_value_heads(object, config.num_attention_heads);
  config.head_dim = parse_head_dim(object, config);
  config.vocab_size = object.size("vocab_size");
  config.max_position_embeddings = object.size("max_position_embeddings");
  config.rms_norm_eps = object.positive("rms_norm_eps");
  parse_rope(object, config);
  // Some files carry a window beside the flag that turns it off.
  if (object.flag("use_sliding_window", true) && object.find("sliding_window") != nullptr) {
    config.sliding_window = object.size("sliding_window");
    config.sliding_window_pattern = parse_window_pattern(object, config);
  }
  if (object.find("query_pre_attn_scalar") != nullptr) {
    config.query_pre_attn_scalar = object.positive("query_pre_attn_scalar");
  }
  // Transformers leaves out what a class has by default: Gemma ties, the others here do not.
  config.tie_word_embeddings =
      object.flag("tie_word_embeddings", config.model_type.starts_with("gemma"));
  config.bos_token_id = parse_token_id(object, "bos_token_id");
  config.pad_token_id = parse_token_id(object, "pad_token_id");
  config.eos_token_ids = object.token_ids("eos_token_id");
  config.quantization_config = parse_quantization(object);
  return config;
}

std::vector<std::uint64_t> parse_generation_ends(std::string_view generation_json) {
  const Json json = parse_object(generation_json, kGenerationConfig);
  return ObjectReader(json, kGenerationConfig).token_ids("eos_token_id");
}

GenerationConfig parse_generation_config(std::string_view generation_json) {
  const Json json = parse_object(generation_json, kGenerationConfig);
  const ObjectReader object(json, kGenerationConfig);
  GenerationConfig config;
  const auto temperature = static_cast<float>(object.non_negative("temperature", 1));
  config.temperature = object.flag("do_sample", false) ? temperature : 0;
  const double top_k = object.non_negative("top_k", 0);
  if (top_k != std::floor(top_k) || top_k > static_cast<double>(kMaxModelSize)) {
    object.fail("top_k", "an integer from 0 to 2^31-1");
  }
  config.top_k = static_cast<std::size_t>(top_k);
  config.top_p = static_cast<float>(object.positive("top_p", 1));
  if (config.top_p > 1) {
    object.fail("top_p", "a number above 0, up to 1");
  }
  return config;
}

std::vector<std::uint64_t> end_tokens(const ModelConfig& config, std::string_view generation_json) {
  std::vector<std::uint64_t> ends;
  if (!generation_json.empty()) {
    ends = parse_generation_ends(generation_json);
  }
  return ends.empty() ? config.eos_token_ids : ends;
}

std::string parse_pooling(std::string_view pooling_json) {
  constexpr const char* kFile = "1_Pooling/config.json";
  const Json json = parse_object(pooling_json, kFile);
  const ObjectReader object(json, kFile);
  std::string pooling;
  for (const auto& [key, name] :
       {std::pair{"pooling_mode_mean_tokens", "mean"}, std::pair{"pooling_mode_cls_token", "cls"},
        std::pair{"pooling_mode_lasttoken", "last"}}) {
    if (!object.flag(key, false)) {
      continue;
    }
    if (!pooling.empty()) {
      object.fail(key, "false, as another mode is on");
    }
    pooling = name;
  }
  if (pooling.empty()) {
    object.fail("pooling_mode_lasttoken", "true, or another mode (mean, cls) on");
  }
  return pooling;
}

}  // namespace bitnet
