// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/trainer.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/checked_json.h"
#include "base/message.h"
#include "model/hugging_face_config.h"
#include "model/model_config.h"

namespace bitnet::train {
namespace {

using Json = nlohmann::ordered_json;

/// Calls field(key, value) for all that have a plain JSON value; the one list of their names.
template <class Options, class Field>
void for_each_field(Options& options, const Field& field) {
  field("output", options.output);
  field("data", options.data);
  field("dev", options.dev);
  field("tokenizer", options.tokenizer);
  field("from", options.from);
  field("quantize", options.quantize);
  field("lambda_warmup", options.lambda_warmup);
  field("teacher", options.teacher);
  field("distill_logits", options.distillation.logits);
  field("distill_temperature", options.distillation.temperature);
  field("distill_relations", options.distillation.relations);
  field("relation_layer", options.distillation.relation_layer);
  field("relation_heads", options.distillation.relation_heads);
  field("lora_rank", options.lora_rank);
  field("lora_alpha", options.lora_alpha);
  field("lora_targets", options.lora_targets);
  field("batch_size", options.batch_size);
  field("context", options.context);
  field("accumulate", options.accumulate);
  field("schedule", options.schedule.kind);
  field("steps", options.schedule.steps);
  field("warmup_steps", options.schedule.warmup_steps);
  field("learning_rate", options.schedule.learning_rate);
  field("second_peak", options.schedule.second_peak);
  field("stage_share", options.schedule.stage_share);
  field("least_learning_rate", options.schedule.least_learning_rate);
  field("decay_share", options.schedule.decay_share);
  field("weight_decay", options.schedule.weight_decay);
  field("epochs", options.epochs);
  field("clip", options.clip);
  field("dropout", options.dropout);
  field("label_smoothing", options.label_smoothing);
  field("seed", options.seed);
  field("early_stop", options.early_stop);
  field("device", options.device);
  field("bfloat16", options.bfloat16);
  field("log_every", options.log_every);
  field("evaluate_every", options.evaluate_every);
  field("save_every", options.save_every);
  field("keep_checkpoints", options.keep_checkpoints);
}

Json to_value(const std::filesystem::path& path) { return path.string(); }
Json to_value(const Sources& sources) {
  Json list = Json::array();
  for (const std::filesystem::path& source : sources) list.push_back(source.string());
  return list;
}
Json to_value(ScheduleKind kind) { return std::string(to_string(kind)); }
template <class T>
Json to_value(const T& value) {
  return value;
}

void read_value(const nlohmann::json& json, std::filesystem::path& path) {
  path = json.get<std::string>();
}
void read_value(const nlohmann::json& json, Sources& sources) {
  sources.clear();
  if (json.is_string()) {
    sources.emplace_back(json.get<std::string>());
    return;
  }
  for (const nlohmann::json& entry : json) sources.emplace_back(entry.get<std::string>());
}
void read_value(const nlohmann::json& json, ScheduleKind& kind) {
  kind = parse_schedule(json.get<std::string>());
}
template <class T>
void read_value(const nlohmann::json& json, T& value) {
  value = json.get<T>();
}

void require(bool holds, const char* field, const auto& found, const char* expected) {
  if (!holds) {
    throw InvalidArgument(message(field, ": expected ", expected, ", found ", found));
  }
}

}  // namespace

void TrainingOptions::validate() const {
  require(!output.empty(), "output", "none", "a folder");
  require(!data.empty(), "data", "none", "texts to learn");
  require(lora_rank >= 0, "lora_rank", lora_rank, "a positive number, or 0 for no adapter");
  require(lora_rank == 0 || !from.empty(), "from", "none",
          "the model that the adapter stands beside");
  require(lora_rank == 0 || (quantize && lambda_warmup == 0), "lora_rank", lora_rank,
          "0 with a float model or lambda_warmup");
  require(lora_rank == 0 || device == "cpu", "device", device, "cpu, where packed weights are");
  require(distillation.logits >= 0, "distill_logits", distillation.logits, "at least 0");
  require(distillation.temperature > 0, "distill_temperature", distillation.temperature,
          "a positive number");
  require(distillation.relations >= 0, "distill_relations", distillation.relations, "at least 0");
  require(distillation.relation_heads >= 0, "relation_heads", distillation.relation_heads,
          "a positive number, or 0 for the student's KV heads");
  require(batch_size > 0, "batch_size", batch_size, "a positive number");
  require(context > 0, "context", context, "a positive number");
  require(accumulate > 0, "accumulate", accumulate, "a positive number");
  require(schedule.steps >= 0, "steps", schedule.steps, "a positive number, or 0 for epochs");
  require(schedule.learning_rate > 0, "learning_rate", schedule.learning_rate, "a positive number");
  require(
      schedule.least_learning_rate >= 0 && schedule.least_learning_rate <= schedule.learning_rate,
      "least_learning_rate", schedule.least_learning_rate, "at least 0, at most learning_rate");
  require(schedule.weight_decay >= 0, "weight_decay", schedule.weight_decay, "at least 0");
  require(epochs > 0, "epochs", epochs, "a positive number");
  require(clip >= 0, "clip", clip, "at least 0");
  require(dropout >= 0 && dropout < 1, "dropout", dropout, "at least 0 and less than 1");
  require(label_smoothing >= 0 && label_smoothing < 1, "label_smoothing", label_smoothing,
          "at least 0 and less than 1");
  require(log_every > 0, "log_every", log_every, "a positive number");
  require(evaluate_every > 0, "evaluate_every", evaluate_every, "a positive number");
  require(save_every > 0, "save_every", save_every, "a positive number");
  require(keep_checkpoints > 0, "keep_checkpoints", keep_checkpoints, "a positive number");
}

std::string TrainingOptions::to_json() const {
  Json json = Json::object();
  for_each_field(*this, [&](const char* key, const auto& value) { json[key] = to_value(value); });
  if (from.empty()) {
    json["model"] = Json::parse(hugging_face_config(
        model, {.packed = false, .latent = true, .torch_dtype = "float32"}, ""));
  }
  return json.dump(2) + "\n";
}

TrainingOptions TrainingOptions::from_json(std::string_view text, TrainingOptions options) {
  constexpr const char* kWhat = "training configuration";
  const nlohmann::json json = parse_checked_json(text, kWhat, {.max_depth = 16});
  if (!json.is_object()) {
    throw FormatError(message(kWhat, ": expected an object, found ", json.type_name()));
  }
  for (const auto& [key, value] : json.items()) {
    bool known = key == "model";
    if (known) {
      options.model = parse_model_config(value.dump());
    }
    for_each_field(options, [&, &name = key, &found = value](const char* field, auto& target) {
      if (name != field) {
        return;
      }
      known = true;
      try {
        read_value(found, target);
      } catch (const nlohmann::json::exception&) {
        throw FormatError(message(kWhat, ": key \"", name, "\": expected a value like ",
                                  to_value(target).dump(), ", found ", describe_json(found)));
      }
    });
    if (!known) {
      throw FormatError(message(kWhat, ": key \"", key, "\" is not known"));
    }
  }
  return options;
}

std::string_view to_string(TrainingEnd end) {
  switch (end) {
    case TrainingEnd::steps:
      return "steps";
    case TrainingEnd::early_stop:
      return "early_stop";
    case TrainingEnd::interrupted:
      return "interrupted";
  }
  return "unknown";
}

}  // namespace bitnet::train
