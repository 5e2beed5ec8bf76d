// SPDX-License-Identifier: MIT
// BitLinear in the place of the torch::nn::Linear layers of a module that exists.
#pragma once

#include <bitnet/config.h>
#include <bitnet/train/bit_linear.h>
#include <torch/nn/module.h>

#include <vector>

namespace bitnet::train {

/// Each torch::nn::Linear in a torch::nn::Sequential, `module` itself or any below it, becomes a
/// BitLinear of the same name with the same parameters. Returns the new layers in the order of
/// modules(), to move their lambda. A Linear that is a member of another module cannot be replaced
/// from outside, as C++ fixed its type: InvalidArgument names it, and nothing was changed.
std::vector<BitLinear> replace_linear(torch::nn::Module& module, const BitNetConfig& config = {});

}  // namespace bitnet::train
