// SPDX-License-Identifier: MIT
#include "stored_tensors.h"

#include <bitnet/error.h>
#include <torch/torch.h>

#include <cstring>

#include "base/message.h"
#include "formats/safetensors_writer.h"

namespace bitnet::train {
namespace {

Shape shape_of(const torch::Tensor& x) {
  const std::vector<std::size_t> dims(x.sizes().begin(), x.sizes().end());
  return Shape(dims);
}

}  // namespace

void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<TensorDeclaration> declarations;
  for (const auto& [name, tensor] : tensors) {
    declarations.push_back({name, Encoding::f32, shape_of(tensor)});
  }
  SafetensorsWriter writer(path, std::move(declarations), metadata);
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor values = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    writer.append({reinterpret_cast<const std::byte*>(values.data_ptr<float>()),
                   static_cast<std::size_t>(values.numel()) * sizeof(float)});
  }
  writer.commit();
}

void read_tensor(const Checkpoint& file, const std::string& name, torch::Tensor target) {
  const StoredTensor* const stored = file.find(name);
  if (stored == nullptr || stored->encoding != Encoding::f32 || stored->shape != shape_of(target)) {
    const std::string found =
        stored == nullptr ? "none" : stored->type_name + " " + stored->shape.to_string();
    throw FormatError(message(file.path().string(), ": expected ", name, " as float32 ",
                              shape_of(target).to_string(), ", found ", found));
  }
  torch::Tensor values = torch::empty(target.sizes());
  std::memcpy(values.data_ptr<float>(), stored->bytes.data(), stored->bytes.size());
  const torch::NoGradGuard no_grad;
  target.copy_(values);
}

}  // namespace bitnet::train
