// SPDX-License-Identifier: MIT
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <bitnet/lora.h>

#include <cmath>
#include <map>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "base/mapped_file.h"
#include "base/message.h"
#include "base/output_file.h"
#include "formats/safetensors_writer.h"
#include "formats/ternary_encodings.h"
#include "model/conversion_plan.h"
#include "model/lora_config.h"
#include "model/weight_names.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigName = "adapter_config.json";
constexpr const char* kWeightsName = "adapter_model.safetensors";
constexpr std::string_view kSuffixA = ".lora_A.weight";
constexpr std::string_view kSuffixB = ".lora_B.weight";
constexpr std::string_view kWrapper = "base_model.model.";

struct MatrixTensors {
  const StoredTensor* a = nullptr;
  const StoredTensor* b = nullptr;
};

/// The module's name in the base model, with or without `model.`, then .lora_A.weight.
std::string_view without_wrapper(std::string_view name) {
  return name.starts_with(kWrapper) ? name.substr(kWrapper.size()) : name;
}

/// By module, without `model.`.
std::map<std::string, MatrixTensors> pair_tensors(const Checkpoint& checkpoint) {
  std::map<std::string, MatrixTensors> pairs;
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    std::string_view name = without_model_prefix(without_wrapper(tensor.name));
    const bool is_a = name.ends_with(kSuffixA);
    if (!is_a && !name.ends_with(kSuffixB)) {
      throw UnsupportedError(message(checkpoint.path().string(), ": tensor ", tensor.name,
                                     ": expected lora_A.weight and lora_B.weight of projections"));
    }
    name.remove_suffix(kSuffixA.size());
    MatrixTensors& pair = pairs[std::string(name)];
    if (std::exchange(is_a ? pair.a : pair.b, &tensor) != nullptr) {
      throw FormatError(message(checkpoint.path().string(), ": tensor ", tensor.name,
                                ": expected one of this name, with or without prefix, found two"));
    }
  }
  return pairs;
}

/// The tensor, one of whose extents is the rank.
std::vector<float> read_matrix(const StoredTensor& tensor, std::size_t rank_dimension,
                               std::size_t rank) {
  if (!is_float_type(tensor.encoding)) {
    throw UnsupportedError(
        message("tensor ", tensor.name, ": expected F32, F16 or BF16, found ", tensor.type_name));
  }
  if (tensor.shape.rank() != 2 || tensor.shape[rank_dimension] != rank ||
      tensor.shape.numel() == 0) {
    throw ShapeMismatch(message("tensor ", tensor.name, ": expected shape ",
                                rank_dimension == 0 ? message("[", rank, ", in_features]")
                                                    : message("[out_features, ", rank, "]"),
                                " (r of ", kConfigName, "), found ", tensor.shape.to_string()));
  }
  std::vector<float> values(tensor.shape.numel());
  decode_to_float(tensor, 0, tensor.shape.rows(), values);
  const std::size_t columns = tensor.shape.columns();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw NonFiniteError("tensor " + tensor.name, i / columns, i % columns, values[i]);
    }
  }
  return values;
}

fs::path weights_file(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return path;
  }
  if (!fs::exists(path / kWeightsName, error) && fs::exists(path / "adapter_model.bin", error)) {
    throw UnsupportedError(message(path.string(), ": expected ", kWeightsName,
                                   ", found adapter_model.bin, a pickle: it can run programs"));
  }
  return path / kWeightsName;
}

void require_sizes(const LoraAdapter& adapter) {
  if (adapter.rank == 0 || !std::isfinite(adapter.scale())) {
    throw InvalidArgument(message("adapter: expected a positive rank and a finite alpha, found ",
                                  adapter.rank, " and ", adapter.alpha));
  }
  for (const LoraMatrix& matrix : adapter.matrices) {
    if (matrix.a.size() != adapter.rank * matrix.in_features ||
        matrix.b.size() != matrix.out_features * adapter.rank) {
      throw InvalidArgument(message("adapter of ", matrix.module, ": expected ",
                                    adapter.rank * matrix.in_features, " and ",
                                    matrix.out_features * adapter.rank, " numbers, found ",
                                    matrix.a.size(), " and ", matrix.b.size()));
    }
  }
}

}  // namespace

double LoraAdapter::scale() const {
  const auto r = static_cast<double>(rank);
  return alpha / (use_rslora ? std::sqrt(r) : r);
}

std::vector<std::string> LoraAdapter::target_modules() const {
  std::set<std::string> names;
  for (const LoraMatrix& matrix : matrices) {
    names.insert(matrix.module.substr(matrix.module.rfind('.') + 1));
  }
  return {names.begin(), names.end()};
}

LoraAdapter load_lora(const fs::path& path) {
  const fs::path weights = weights_file(path);
  const Checkpoint checkpoint = open_checkpoint(weights);
  if (checkpoint.format() != Checkpoint::Format::safetensors) {
    throw UnsupportedError(message(weights.string(), ": expected an adapter of PEFT, ",
                                   kWeightsName, ", found a GGUF file"));
  }
  const fs::path config = weights.parent_path() / kConfigName;
  const std::string text = read_file_if_any(config);
  if (text.empty()) {
    throw FormatError(message(weights.string(), ": expected ", kConfigName, " beside it"));
  }
  LoraAdapter adapter = parse_lora_config(text, config.string());
  for (const auto& [module, pair] : pair_tensors(checkpoint)) {
    if (pair.a == nullptr || pair.b == nullptr) {
      throw FormatError(message(weights.string(), ": expected a tensor ", module,
                                pair.a == nullptr ? kSuffixA : kSuffixB, " beside ",
                                (pair.a == nullptr ? pair.b : pair.a)->name));
    }
    LoraMatrix& matrix = adapter.matrices.emplace_back();
    const std::string_view name = without_wrapper(pair.a->name);
    matrix.module = name.substr(0, name.size() - kSuffixA.size());
    matrix.a = read_matrix(*pair.a, 0, adapter.rank);
    matrix.b = read_matrix(*pair.b, 1, adapter.rank);
    matrix.in_features = pair.a->shape[1];
    matrix.out_features = pair.b->shape[0];
  }
  if (adapter.matrices.empty()) {
    throw FormatError(message(weights.string(), ": expected lora_A and lora_B, found no tensor"));
  }
  return adapter;
}

void save_lora(const LoraAdapter& adapter, const fs::path& folder) {
  require_sizes(adapter);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw IoError(message(folder.string(), ": cannot be the output folder: ", error.message()));
  }
  std::vector<TensorDeclaration> tensors;
  for (const LoraMatrix& matrix : adapter.matrices) {
    tensors.push_back({message(kWrapper, matrix.module, kSuffixA), Encoding::f32,
                       Shape{adapter.rank, matrix.in_features}});
    tensors.push_back({message(kWrapper, matrix.module, kSuffixB), Encoding::f32,
                       Shape{matrix.out_features, adapter.rank}});
  }
  SafetensorsWriter weights(folder / kWeightsName, std::move(tensors), {{"format", "pt"}});
  for (const LoraMatrix& matrix : adapter.matrices) {
    weights.append(std::as_bytes(std::span(matrix.a)));
    weights.append(std::as_bytes(std::span(matrix.b)));
  }
  write_file(folder / kConfigName, lora_config(adapter));
  weights.commit();
}

}  // namespace bitnet
