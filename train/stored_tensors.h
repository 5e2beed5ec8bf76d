// SPDX-License-Identifier: MIT
// Float tensors to and from a safetensors file.
#pragma once

#include <bitnet/checkpoint.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bitnet::train {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// In float32, in their order. The file appears complete or not at all.
void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata = {});

/// The tensor of that name into `target`: FormatError unless it is float32 and of the same shape.
void read_tensor(const Checkpoint& file, const std::string& name, torch::Tensor target);

}  // namespace bitnet::train
