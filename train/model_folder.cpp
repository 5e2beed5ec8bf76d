// SPDX-License-Identifier: MIT
#include <bitnet/train/model_folder.h>

#include <bitnet/error.h>
#include <bitnet/lora.h>
#include <bitnet/train/adapter.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/message.h"
#include "base/output_file.h"
#include "formats/safetensors_writer.h"
#include "model/hugging_face_config.h"
#include "model/model_source.h"
#include "model/projection_reader.h"
#include "run_folder.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(const torch::Tensor& x) {
  return {reinterpret_cast<const std::byte*>(x.data_ptr<float>()),
          static_cast<std::size_t>(x.numel()) * sizeof(float)};
}

/// Whether the rows are trits with a scale, not floats.
bool is_stored_ternary(const SourceWeight& weight) {
  return weight.hf_packed ||
         (weight.name.role == WeightRole::projection && !needs_measuring(weight));
}

/// Latents whose absmean is the scale that the trits have: the mean of their magnitudes is
/// (1 - sparsity) times one of them.
torch::Tensor latents_of_trits(const ModelSource& source, const SourceWeight& weight) {
  const auto reader = open_projection(source, weight, Runtime::serial(), [](std::uint64_t) {});
  const auto rows = static_cast<std::int64_t>(weight.name.rows);
  const auto columns = static_cast<std::int64_t>(weight.name.columns);
  torch::Tensor trits = torch::empty({rows, columns}, torch::kInt8);
  std::vector<float> floats(columns);
  for (std::int64_t row = 0; row < rows; ++row) {
    reader->read_row(row, floats.data(), trits.data_ptr<std::int8_t>() + row * columns);
  }
  const torch::Tensor latents = trits.to(torch::kFloat32);
  const double density = latents.abs().mean(torch::kDouble).item<double>();
  return density == 0 ? latents : latents * (reader->scale() / density);
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

void write_file(const fs::path& path, std::string_view text) {
  OutputFile file(path);
  file.append(std::as_bytes(std::span(text)));
  file.commit();
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void copy_companions(const fs::path& from, const fs::path& to) {
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja", "tokenizer.model", "generation_config.json"}) {
    if (fs::exists(from / name) && !fs::equivalent(from, to)) {
      write_file(to / name, read_file(from / name));
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
  const auto reader = open_projection(source, weight, Runtime::serial(), [](std::uint64_t) {});
  std::vector<std::int8_t> trits(weight.name.rows * weight.name.columns);
  std::vector<float> floats(weight.name.columns);
  for (std::size_t row = 0; row < weight.name.rows; ++row) {
    reader->read_row(row, floats.data(), trits.data() + row * weight.name.columns);
  }
  const float scale = reader->scale();
  return bitnet::TernaryWeight::pack(trits, weight.name.rows, weight.name.columns,
                                     std::span(&scale, 1));
}

}  // namespace

Transformer load_transformer(const Checkpoint& checkpoint) {
  const ModelSource source(checkpoint, {}, Runtime::serial());
  Transformer model(source.config(),
                    TransformerOptions{.projection_norms = has_projection_norms(source)});
  copy_weights(source, *model);
  return model;
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
  const LoraAdapter adapter = lora_of(model);
  if (adapter.matrices.empty()) {
    save_transformer(model, folder, companions);
  } else {
    save_lora(adapter, folder);
  }
}

void restore_learned(TransformerImpl& model, const fs::path& folder) {
  const bool is_adapter = !lora_of(model).matrices.empty();
  const Checkpoint file =
      open_checkpoint(folder / (is_adapter ? "adapter_model.safetensors" : "model.safetensors"));
  for (auto& parameter : model.named_parameters()) {
    if (parameter.value().requires_grad()) {
      read_into(file, (is_adapter ? "base_model.model." : "") + parameter.key(), parameter.value());
    }
  }
}

void read_into(const Checkpoint& file, const std::string& name, torch::Tensor target) {
  const std::vector<std::size_t> dims(target.sizes().begin(), target.sizes().end());
  const StoredTensor* const stored = file.find(name);
  if (stored == nullptr || stored->encoding != Encoding::f32 || stored->shape != Shape(dims)) {
    throw FormatError(message(file.path().string(), ": expected ", name, " as float32 ",
                              Shape(dims).to_string(), ", found ",
                              stored == nullptr
                                  ? std::string("none")
                                  : stored->type_name + " " + stored->shape.to_string()));
  }
  torch::Tensor values = torch::empty(target.sizes());
  std::memcpy(values.data_ptr<float>(), stored->bytes.data(), stored->bytes.size());
  const torch::NoGradGuard no_grad;
  target.copy_(values);
}

void save_transformer(const TransformerImpl& model, const fs::path& folder,
                      const fs::path& companions) {
  fs::create_directories(folder);
  std::vector<TensorDeclaration> declarations;
  std::vector<torch::Tensor> values;
  for (const auto& parameter : model.named_parameters()) {
    values.push_back(parameter.value().detach().to(torch::kCPU, torch::kFloat32).contiguous());
    std::vector<std::size_t> dims(values.back().sizes().begin(), values.back().sizes().end());
    declarations.push_back({parameter.key(), Encoding::f32, Shape(dims)});
  }
  SafetensorsWriter writer(folder / "model.safetensors", std::move(declarations),
                           {{"format", "pt"}});
  for (const torch::Tensor& value : values) {
    writer.append(bytes_of(value));
  }
  write_file(folder / "config.json",
             hugging_face_config(model.config(),
                                 {.packed = false, .latent = true, .torch_dtype = "float32"}, ""));
  if (!companions.empty()) {
    copy_companions(companions, folder);
  }
  writer.commit();
}

}  // namespace bitnet::train
