// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/replace_linear.h>
#include <torch/torch.h>

#include <string>

#include "base/message.h"

namespace bitnet::train {
namespace {

using torch::nn::AnyModule;
using torch::nn::LinearImpl;
using torch::nn::SequentialImpl;

/// Where a Sequential keeps `child` in the order of its calls; nullptr in any other module.
AnyModule* slot_of(torch::nn::Module& module, const torch::nn::Module& child) {
  if (auto* const sequential = module.as<SequentialImpl>()) {
    for (AnyModule& slot : *sequential) {
      if (slot.ptr().get() == &child) return &slot;
    }
  }
  return nullptr;
}

void expect_replaceable(torch::nn::Module& module, const std::string& path) {
  for (const auto& child : module.named_children()) {
    const std::string name = path.empty() ? child.key() : path + "." + child.key();
    if (child.value()->as<LinearImpl>() != nullptr && slot_of(module, *child.value()) == nullptr) {
      throw InvalidArgument(message("replace_linear: '", name, "' is a member of type Linear of ",
                                    module.name(), "; expected it in a Sequential: declare that ",
                                    "member as bitnet::train::BitLinear"));
    }
    expect_replaceable(*child.value(), name);
  }
}

void replace(torch::nn::Module& module, const BitNetConfig& config, std::vector<BitLinear>& made) {
  for (const auto& child : module.named_children()) {
    const auto linear = std::dynamic_pointer_cast<LinearImpl>(child.value());
    if (linear == nullptr) {
      replace(*child.value(), config, made);
      continue;
    }
    made.emplace_back(torch::nn::Linear(linear), config);
    made.back()->train(linear->is_training());
    *slot_of(module, *linear) = AnyModule(made.back());
    module.replace_module(child.key(), made.back());
  }
}

}  // namespace

std::vector<BitLinear> replace_linear(torch::nn::Module& module, const BitNetConfig& config) {
  config.validate();
  if (module.as<LinearImpl>() != nullptr) {
    throw InvalidArgument(
        "replace_linear: expected a module that holds the Linear, found the Linear");
  }
  expect_replaceable(module, "");
  std::vector<BitLinear> made;
  replace(module, config, made);
  return made;
}

}  // namespace bitnet::train
