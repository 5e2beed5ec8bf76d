// SPDX-License-Identifier: MIT
// The tensors of a page: what is drawn of each, of each layer, of each part.
#pragma once

#include <bitnet/inspect_checkpoint.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model_parts.h"

namespace bitnet::cli {

struct PageTensor {
  const TensorInspection* tensor;
  TensorPlace place;
  std::uint64_t weights;
};

std::vector<PageTensor> page_tensors(const std::vector<TensorInspection>& tensors);

/// Where the bytes and the weights are: two bars and a table.
std::string parts_section(const std::vector<PageTensor>& tensors);
/// Heat strips of all matrices that stand in layers; empty without layers.
std::string layers_section(const std::vector<PageTensor>& tensors);
/// A row per tensor.
std::string tensors_section(const std::vector<PageTensor>& tensors);

}  // namespace bitnet::cli
