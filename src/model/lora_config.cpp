// SPDX-License-Identifier: MIT
#include "model/lora_config.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/checked_json.h"
#include "base/message.h"

namespace bitnet {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 64;
constexpr double kMaxRank = 1 << 20;

/// Keys of PEFT's LoraConfig that change what an adapter computes, unless they are null, false or
/// empty. Others choose how it is trained or found, which its tensors show.
constexpr std::array kChangesComputation = {"use_dora",
                                            "modules_to_save",
                                            "rank_pattern",
                                            "alpha_pattern",
                                            "fan_in_fan_out",
                                            "lora_bias",
                                            "use_qalora",
                                            "use_bdlora",
                                            "layer_replication",
                                            "target_parameters",
                                            "trainable_token_indices",
                                            "alora_invocation_tokens"};

class ConfigReader {
 public:
  ConfigReader(const Json& json, const std::string& file) : json_(json), file_(file) {}

  LoraAdapter read() const {
    require_plain_lora();
    LoraAdapter adapter;
    adapter.rank = static_cast<std::size_t>(positive_integer("r"));
    adapter.alpha = number("lora_alpha");
    const Json* const rslora = value("use_rslora");
    if (rslora != nullptr && !rslora->is_boolean()) {
      fail("use_rslora", "true or false", *rslora);
    }
    adapter.use_rslora = rslora != nullptr && rslora->get<bool>();
    adapter.task_type = text("task_type");
    adapter.base_model = text("base_model_name_or_path");
    return adapter;
  }

 private:
  /// nullptr when absent or null.
  const Json* value(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }

  template <class Problem = FormatError>
  [[noreturn]] void fail(const char* key, const char* expected, const Json& found) const {
    throw Problem(message(file_, ": key \"", key, "\": expected ", expected, ", found ",
                          describe_json(found)));
  }

  double number(const char* key) const {
    const Json* const found = value(key);
    if (found == nullptr || !found->is_number() || !std::isfinite(found->get<double>())) {
      fail(key, "a number", found == nullptr ? Json() : *found);
    }
    return found->get<double>();
  }

  double positive_integer(const char* key) const {
    const double result = number(key);
    if (!(result >= 1) || result > kMaxRank || result != std::floor(result)) {
      fail(key, "a positive integer", json_[key]);
    }
    return result;
  }

  std::string text(const char* key) const {
    const Json* const found = value(key);
    return found != nullptr && found->is_string() ? found->get<std::string>() : "";
  }

  void require_plain_lora() const {
    if (text("peft_type") != "LORA") {
      fail<UnsupportedError>("peft_type", "\"LORA\"", json_.value("peft_type", Json()));
    }
    for (const char* key : kChangesComputation) {
      const Json* const found = value(key);
      const bool is_off = found == nullptr || *found == Json(false) ||
                          ((found->is_array() || found->is_object()) && found->empty());
      if (!is_off) {
        fail<UnsupportedError>(key, "none, as only plain LoRA is computed", *found);
      }
    }
    if (const Json* const bias = value("bias"); bias != nullptr && *bias != Json("none")) {
      fail<UnsupportedError>("bias", "\"none\"", *bias);
    }
    // PiSSA, OLoRA, CorDA and LoftQ train beside a base that they have changed.
    const Json* const start = value("init_lora_weights");
    constexpr std::array kKeepsBase = {"gaussian", "eva", "orthogonal"};
    if (start != nullptr && start->is_string() &&
        std::ranges::find(kKeepsBase, start->get<std::string>()) == kKeepsBase.end()) {
      fail<UnsupportedError>("init_lora_weights", "a start that leaves the base as it is", *start);
    }
  }

  const Json& json_;
  const std::string& file_;
};

}  // namespace

LoraAdapter parse_lora_config(std::string_view text, const std::string& file) {
  const Json json = parse_checked_json(text, file, {.max_depth = kMaxDepth});
  if (!json.is_object()) {
    throw FormatError(message(file, ": expected a JSON object, found ", describe_json(json)));
  }
  return ConfigReader(json, file).read();
}

std::string lora_config(const LoraAdapter& adapter) {
  nlohmann::ordered_json json;
  json["peft_type"] = "LORA";
  json["task_type"] = adapter.task_type.empty() ? Json() : Json(adapter.task_type);
  json["base_model_name_or_path"] = adapter.base_model;
  json["r"] = adapter.rank;
  // An integer in PEFT's own files.
  if (adapter.alpha == std::floor(adapter.alpha) && std::abs(adapter.alpha) < kMaxRank) {
    json["lora_alpha"] = static_cast<std::int64_t>(adapter.alpha);
  } else {
    json["lora_alpha"] = adapter.alpha;
  }
  json["lora_dropout"] = 0;
  json["target_modules"] = adapter.target_modules();
  json["bias"] = "none";
  json["use_rslora"] = adapter.use_rslora;
  json["use_dora"] = false;
  json["modules_to_save"] = nullptr;
  json["inference_mode"] = true;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bitnet
