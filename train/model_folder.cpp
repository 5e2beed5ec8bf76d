// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/lora.h>
#include <bitnet/train/adapter.h>
#include <bitnet/train/model_folder.h>
#include <torch/torch.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/message.h"
#include "base/output_file.h"
#include "model/hugging_face_config.h"
#include "model/model_source.h"
#include "model/projection_reader.h"
#include "stored_tensors.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

/// Whether the rows are trits with a scale, not floats.
bool is_stored_ternary(const SourceWeight& weight) {
  return weight.hf_packed ||
         (weight.name.role == WeightRole::projection && !needs_measuring(weight));
}

struct StoredTrits {
  std::vector<std::int8_t> trits;  // [rows, columns]
  float scale;
};

StoredTrits read_trits(const ModelSource& source, const SourceWeight& weight) {
  const auto reader = open_projection(source, weight, Runtime::serial(), [](std::uint64_t) {});
  const std::size_t columns = weight.name.columns;
  StoredTrits stored{std::vector<std::int8_t>(weight.name.rows * columns), reader->scale()};
  std::vector<float> floats(columns);
  for (std::size_t row = 0; row < weight.name.rows; ++row) {
    reader->read_row(row, floats.data(), stored.trits.data() + row * columns);
  }
  return stored;
}

/// Latents whose absmean is the scale that the trits have: the mean of their magnitudes is
/// (1 - sparsity) times one of them.
torch::Tensor latents_of_trits(const ModelSource& source, const SourceWeight& weight) {
  StoredTrits stored = read_trits(source, weight);
  const torch::Tensor latents = torch::from_blob(stored.trits.data(),
                                                 {static_cast<std::int64_t>(weight.name.rows),
                                                  static_cast<std::int64_t>(weight.name.columns)},
                                                 torch::kInt8)
                                    .to(torch::kFloat32);
  const double density = latents.abs().mean(torch::kDouble).item<double>();
  return density == 0 ? latents : latents * (stored.scale / density);
}

torch::Tensor floats_of(const ModelSource& source, const SourceWeight& weight) {
  torch::Tensor values = torch::empty({static_cast<std::int64_t>(weight.name.rows),
                                       static_cast<std::int64_t>(weight.name.columns)});
  for (std::size_t row = 0; row < weight.name.rows; ++row) {
    read_float_row(
        source, weight, Runtime::serial(), row,
        std::span(values.data_ptr<float>() + row * weight.name.columns, weight.name.columns));
  }
  return weight.one_was_added ? values - 1 : values;
}

void copy_companions(const fs::path& from, const fs::path& to) {
  for (const char* const name : kCompanionFiles) {
    if (fs::exists(from / name) && !fs::equivalent(from, to)) {
      write_file(to / name, read_file_if_any(from / name));
    }
  }
}

bool has_projection_norms(const ModelSource& source) {
  return std::ranges::any_of(source.weights(), [](const SourceWeight& weight) {
    return weight.name.role == WeightRole::norm && !weight.name.required;
  });
}

const SourceWeight& required_weight(const ModelSource& source, const std::string& name) {
  const SourceWeight* const weight = source.find(name);
  if (weight == nullptr) {
    throw FormatError(
        message(source.checkpoint().path().string(), ": expected a weight ", name, ", found none"));
  }
  return *weight;
}

/// Into the model's parameters, by name.
void copy_weights(const ModelSource& source, TransformerImpl& model) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : model.named_parameters()) {
    const SourceWeight& weight = required_weight(source, parameter.key());
    const torch::Tensor values =
        is_stored_ternary(weight) ? latents_of_trits(source, weight) : floats_of(source, weight);
    parameter.value().copy_(values.view(parameter.value().sizes()));
  }
}

bitnet::TernaryWeight packed_projection(const ModelSource& source, const std::string& name) {
  const SourceWeight& weight = required_weight(source, name + ".weight");
  const StoredTrits stored = read_trits(source, weight);
  return bitnet::TernaryWeight::pack(stored.trits, weight.name.rows, weight.name.columns,
                                     std::span(&stored.scale, 1));
}

}  // namespace

Transformer load_transformer(const Checkpoint& checkpoint) {
  const ModelSource source(checkpoint, {}, Runtime::serial());
  Transformer model(source.config(),
                    TransformerOptions{.projection_norms = has_projection_norms(source)});
  copy_weights(source, *model);
  return model;
}

bool has_stored_trits(const Checkpoint& checkpoint) {
  const ModelSource source(checkpoint, {}, Runtime::serial());
  return std::ranges::any_of(source.weights(), is_stored_ternary);
}

Transformer load_frozen_transformer(const Checkpoint& checkpoint) {
  const ModelSource source(checkpoint, {}, Runtime::serial());
  const auto packed = [&](const std::string& name) {
    return c10::make_intrusive<FrozenTernary>(packed_projection(source, name));
  };
  Transformer model(
      source.config(),
      TransformerOptions{.projection_norms = has_projection_norms(source), .packed = packed});
  copy_weights(source, *model);
  for (torch::Tensor& parameter : model->parameters()) {
    parameter.requires_grad_(false);
  }
  return model;
}

void save_learned(const TransformerImpl& model, const fs::path& folder,
                  const fs::path& companions) {
  if (has_updates(model)) {
    save_lora(lora_of(model), folder);
  } else {
    save_transformer(model, folder, companions);
  }
}

void restore_learned(TransformerImpl& model, const fs::path& folder) {
  if (has_updates(model)) {
    restore_lora(model, load_lora(folder));
    return;
  }
  const Checkpoint file = open_checkpoint(folder / "model.safetensors");
  for (auto& parameter : model.named_parameters()) {
    read_tensor(file, parameter.key(), parameter.value());
  }
}

void save_transformer(const TransformerImpl& model, const fs::path& folder,
                      const fs::path& companions) {
  fs::create_directories(folder);
  write_file(folder / "config.json",
             hugging_face_config(model.config(),
                                 {.packed = false, .latent = true, .torch_dtype = "float32"}, ""));
  if (!companions.empty()) {
    copy_companions(companions, folder);
  }
  NamedTensors weights;
  for (const auto& parameter : model.named_parameters()) {
    weights.emplace_back(parameter.key(), parameter.value());
  }
  write_tensors(folder / "model.safetensors", weights, {{"format", "pt"}});
}

}  // namespace bitnet::train
