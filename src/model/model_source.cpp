// SPDX-License-Identifier: MIT
#include "model/model_source.h"

#include <bitnet/error.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "base/mapped_file.h"
#include "base/message.h"
#include "formats/ternary_encodings.h"
#include "model/gguf_config.h"
#include "model/i2s_layout.h"

namespace bitnet {
namespace {

bool is_gguf(const Checkpoint& checkpoint) {
  return checkpoint.format() == Checkpoint::Format::gguf;
}

HfScaleMeaning meaning_of(const std::string& linear_class) {
  if (linear_class == "bitlinear") {
    return HfScaleMeaning::divisor;
  }
  if (linear_class == "autobitlinear") {
    return HfScaleMeaning::multiplier;
  }
  throw UnsupportedError(
      message("config.json: key \"quantization_config.linear_class\": expected bitlinear or "
              "autobitlinear, found ",
              linear_class));
}

/// Types whose numbers can be weights; packed codes aside, integers are none.
void require_weights(const SourceWeight& weight) {
  const Encoding encoding = weight.tensor.encoding;
  const bool is_integer =
      encoding >= Encoding::i8 && encoding <= Encoding::boolean && !weight.hf_packed;
  if (encoding == Encoding::other || is_integer) {
    throw UnsupportedError(message("tensor ", weight.tensor.name, ": expected weights (F32, F16, ",
                                   "BF16 or a quantized type), found ", weight.tensor.type_name));
  }
}

Shape expected_shape(const SourceWeight& weight) {
  if (weight.name.role == WeightRole::norm) {
    return Shape{weight.name.columns};
  }
  const std::uint64_t rows = weight.name.rows;
  return Shape{weight.hf_packed ? rows / 4 + (rows % 4 != 0) : rows, weight.name.columns};
}

void require_shape(const std::string& tensor, const Shape& expected, const Shape& found,
                   std::size_t numbers) {
  if (found != expected || numbers != expected.numel()) {
    throw ShapeMismatch(message(
        "tensor ", tensor, ": expected shape ", expected.to_string(), " (from the model), found ",
        found != expected ? found.to_string() : message(numbers, " numbers")));
  }
}

}  // namespace

std::filesystem::path checkpoint_folder(const Checkpoint& checkpoint) {
  std::error_code error;
  const std::filesystem::path& path = checkpoint.path();
  return std::filesystem::is_directory(path, error) ? path : path.parent_path();
}

bool has_companion(const Checkpoint& checkpoint, const char* name) {
  std::error_code error;
  return !is_gguf(checkpoint) &&
         std::filesystem::exists(checkpoint_folder(checkpoint) / name, error);
}

std::string read_companion(const Checkpoint& checkpoint, const char* name) {
  if (!has_companion(checkpoint, name)) {
    return "";
  }
  constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
  const MappedFile mapped(checkpoint_folder(checkpoint) / name);
  if (mapped.bytes().size() > kMaxBytes) {
    throw FormatError(message((checkpoint_folder(checkpoint) / name).string(),
                              ": expected at most ", kMaxBytes, " bytes, found ",
                              mapped.bytes().size()));
  }
  return {reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()};
}

ModelSource::ModelSource(const Checkpoint& checkpoint, const ModelSourceOptions& options,
                         const Runtime& runtime)
    : checkpoint_(checkpoint) {
  if (is_gguf(checkpoint)) {
    GgufConfig parsed = parse_gguf_config(checkpoint, options.hidden_act);
    config_ = std::move(parsed.config);
    notes_ = std::move(parsed.notes);
  } else {
    read_hugging_face_config(options);
  }
  family_ = &find_model_family(config_);
  if (!family_->has_head && config_.pooling.empty()) {
    config_.pooling = "last";
    notes_.emplace_back("no pooling mode is stored: the last token's, as published models of " +
                        std::string(family_->hugging_face) + " have");
  }
  // A count that the tensors cannot bear out must not size anything here.
  constexpr std::size_t kMinLayerTensors = 9;  // seven projections, two norms
  if (config_.num_hidden_layers > checkpoint.tensors().size() / kMinLayerTensors) {
    throw FormatError(message(checkpoint.path().string(), ": expected at least ", kMinLayerTensors,
                              " tensors for each of ", config_.num_hidden_layers, " layers, found ",
                              checkpoint.tensors().size(), " in all"));
  }
  collect_weights();
  if (is_gguf(checkpoint)) {
    settle_i2s_layout(weights_, options.i2_s_layout, runtime, notes_);
  }
  for (const ScaledLora& lora : options.lora) {
    add_updates(lora);
  }
}

void ModelSource::read_hugging_face_config(const ModelSourceOptions& options) {
  if (checkpoint_.config_json().empty()) {
    throw FormatError(message(checkpoint_.path().string(),
                              ": expected config.json beside the weights, found none"));
  }
  config_ = parse_model_config(checkpoint_.config_json());
  scale_meaning_ = meaning_of(options.linear_class.value_or(
      config_.quantization_config.value_or(QuantizationConfig{}).linear_class));
  config_.eos_token_ids =
      end_tokens(config_, read_companion(checkpoint_, "generation_config.json"));
  const std::string pooling = read_companion(checkpoint_, "1_Pooling/config.json");
  if (!pooling.empty()) {
    config_.pooling = parse_pooling(pooling);
  }
}

void ModelSource::collect_weights() {
  const bool gguf = is_gguf(checkpoint_);
  std::map<std::string_view, const StoredTensor*> tensors;
  for (const StoredTensor& tensor : checkpoint_.tensors()) {
    const std::string_view name =
        gguf ? std::string_view(tensor.name) : without_model_prefix(tensor.name);
    if (!tensors.emplace(name, &tensor).second) {
      throw FormatError(message("tensor ", tensor.name, ": expected one tensor of this name, ",
                                "with or without 'model.', found a second"));
    }
  }
  for (const WeightName& name : weight_names(config_, *family_)) {
    const auto found =
        tensors.find(gguf ? std::string_view(name.gguf) : without_model_prefix(name.hugging_face));
    if (found != tensors.end()) {
      add_weight(name, *found->second);
    } else if (name.required) {
      throw FormatError(message(checkpoint_.path().string(), ": expected a tensor ",
                                gguf ? name.gguf : name.hugging_face, ", found ",
                                checkpoint_.tensors().size(), " others"));
    }
  }
  require_known_tensors();
  require_whole_groups();
}

void ModelSource::add_weight(const WeightName& name, const StoredTensor& tensor) {
  SourceWeight weight{.name = name, .tensor = tensor};
  const bool gguf = is_gguf(checkpoint_);
  if (name.role == WeightRole::projection) {
    weight.hf_packed = !gguf && tensor.encoding == Encoding::u8;
    if (gguf || weight.hf_packed) {
      weight.scale_tensor =
          checkpoint_.find(gguf ? scale_name(tensor.name) : tensor.name + "_scale");
    }
    weight.rows_are_permuted = gguf && name.permuted_rows;
    if (weight.hf_packed && weight.scale_tensor == nullptr) {
      throw FormatError(message("tensor ", tensor.name, ": expected ", tensor.name,
                                "_scale beside its packed U8 codes, found no such tensor"));
    }
  }
  weight.one_was_added = gguf && name.gguf_adds_one;
  require_weights(weight);
  if (tensor.shape != expected_shape(weight)) {
    throw ShapeMismatch(message(
        "tensor ", tensor.name, ": expected shape ", expected_shape(weight).to_string(), " (from ",
        gguf ? "the file's keys" : "config.json", "), found ", tensor.shape.to_string()));
  }
  weights_.push_back(std::move(weight));
}

/// A tensor that nobody asked for means that the file holds another model than it says.
void ModelSource::require_known_tensors() const {
  std::set<std::string_view> known;
  for (const SourceWeight& weight : weights_) {
    known.insert(weight.tensor.name);
    if (weight.scale_tensor != nullptr) {
      known.insert(weight.scale_tensor->name);
    }
  }
  for (const StoredTensor& tensor : checkpoint_.tensors()) {
    if (!known.contains(tensor.name) && !is_redundant_weight(tensor.name, config_)) {
      throw UnsupportedError(message("tensor ", tensor.name, ": a model of ", family_->hugging_face,
                                     " with ", config_.num_hidden_layers,
                                     " layers has no weight of this name"));
    }
  }
}

void ModelSource::require_whole_groups() const {
  std::vector<WeightName> all = weight_names(config_, *family_);
  const auto present = [&](const WeightName& name) { return find(name.gguf) != nullptr; };
  std::erase_if(all, [](const WeightName& name) { return name.required; });
  if (std::none_of(all.begin(), all.end(), present)) {
    return;
  }
  const auto missing = std::find_if_not(all.begin(), all.end(), present);
  if (missing != all.end()) {
    throw FormatError(message(checkpoint_.path().string(), ": expected a tensor ",
                              is_gguf(checkpoint_) ? missing->gguf : missing->hugging_face,
                              ", as other projections have a norm of their own, found none"));
  }
}

void ModelSource::add_updates(const ScaledLora& lora) {
  const std::size_t rank = lora.adapter.rank;
  const double scale = lora.adapter.scale() * lora.scale;
  if (rank == 0 || !std::isfinite(static_cast<float>(scale))) {
    throw InvalidArgument(message("adapter: expected a positive rank and a finite scale, found ",
                                  rank, " and ", scale));
  }
  for (const LoraMatrix& matrix : lora.adapter.matrices) {
    const auto found = std::ranges::find_if(weights_, [&](const SourceWeight& weight) {
      return weight.name.role == WeightRole::projection &&
             without_model_prefix(weight.name.hugging_face) ==
                 message(without_model_prefix(matrix.module), ".weight");
    });
    if (found == weights_.end()) {
      throw UnsupportedError(message("adapter of ", matrix.module, ": a model of ",
                                     family_->hugging_face, " with ", config_.num_hidden_layers,
                                     " layers has no projection of this name"));
    }
    require_shape(matrix.module + ".lora_A.weight", Shape{rank, found->name.columns},
                  Shape{rank, matrix.in_features}, matrix.a.size());
    require_shape(matrix.module + ".lora_B.weight", Shape{found->name.rows, rank},
                  Shape{matrix.out_features, rank}, matrix.b.size());
    found->updates.push_back({&matrix, rank, static_cast<float>(scale)});
  }
}

SourceWeight base_of(const SourceWeight& weight) {
  SourceWeight base = weight;
  base.updates.clear();
  return base;
}

const SourceWeight* ModelSource::find(std::string_view name) const {
  const auto found = std::find_if(weights_.begin(), weights_.end(), [&](const SourceWeight& w) {
    return w.name.gguf == name ||
           without_model_prefix(w.name.hugging_face) == without_model_prefix(name);
  });
  return found == weights_.end() ? nullptr : &*found;
}

}  // namespace bitnet
