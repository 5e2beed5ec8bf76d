// SPDX-License-Identifier: MIT
// A Batch as libtorch's tensors.
#pragma once

#include <bitnet/train/batches.h>
#include <torch/types.h>

namespace bitnet::train {

struct BatchTensors {
  torch::Tensor inputs, targets;  // int64 [rows, columns]
};

inline BatchTensors tensors_of(const Batch& batch, const torch::Device& device) {
  const auto tensor = [&](const std::vector<std::int32_t>& ids) {
    return torch::tensor(ids, torch::kInt32)
        .view({static_cast<std::int64_t>(batch.rows), static_cast<std::int64_t>(batch.columns)})
        .to(device, torch::kInt64);
  };
  return {tensor(batch.inputs), tensor(batch.targets)};
}

}  // namespace bitnet::train
