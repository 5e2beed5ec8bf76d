// SPDX-License-Identifier: MIT
#pragma once

#include <torch/types.h>

#include <string>

namespace bitnet::train {

/// "cpu", "cuda", "cuda:1". InvalidArgument for what this machine or libtorch lacks.
torch::Device find_device(const std::string& name);

}  // namespace bitnet::train
