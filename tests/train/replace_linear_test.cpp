// SPDX-License-Identifier: MIT
// Oracle: the module before its layers were replaced, and the formula of a linear layer.
#include <bitnet/error.h>
#include <bitnet/train/replace_linear.h>
#include <gtest/gtest.h>

#include "train/golden_tensor.h"

namespace bitnet::train {
namespace {

using torch::nn::Linear, torch::nn::ReLU, torch::nn::Sequential;

const BitNetConfig kConfig = BitNetConfig::b158();

/// A Sequential inside a module inside a Sequential.
struct HalfImpl : torch::nn::Module {
  HalfImpl() { register_module("layers", layers); }
  torch::Tensor forward(const torch::Tensor& x) { return layers->forward(x); }
  Sequential layers{Linear(8, 6), ReLU()};
};
TORCH_MODULE(Half);

struct Net : torch::nn::Module {
  Net() {
    register_module("body", body);
    register_module("head", head);
  }
  torch::Tensor forward(const torch::Tensor& x) { return head->forward(body->forward(x)); }
  Sequential body{Linear(12, 8), ReLU(), Half()};
  Sequential head{Linear(torch::nn::LinearOptions(6, 3).bias(false))};
};

TEST(ReplaceLinear, KeepsNamesAndParameters) {
  torch::manual_seed(1);
  Net net;
  const auto before = net.named_parameters();
  const std::vector<BitLinear> layers = replace_linear(net, kConfig);
  ASSERT_EQ(layers.size(), 3U);
  const auto after = net.named_parameters();
  ASSERT_EQ(after.keys(), before.keys());
  for (const auto& parameter : before) {
    EXPECT_TRUE(after[parameter.key()].is_same(parameter.value())) << parameter.key();
  }
  EXPECT_EQ(net.named_modules("", false)["body.2.layers.0"].get(), layers[1].get());
  EXPECT_EQ(layers[2]->options.in_features, 6);
  EXPECT_FALSE(layers[2]->bias.defined());
  EXPECT_EQ(layers[2]->options.config, kConfig);
}

TEST(ReplaceLinear, LambdaZeroIsTheModuleBeforeAndOneIsTernary) {
  torch::manual_seed(2);
  Net net;
  const torch::Tensor x = torch::randn({5, 12});
  const torch::Tensor before = net.forward(x);
  const torch::Tensor head = net.named_parameters()["head.0.weight"].detach().clone();
  std::vector<BitLinear> layers = replace_linear(net, kConfig);
  for (BitLinear& layer : layers) layer->lambda = 0;
  expect_close(net.forward(x), before.detach(), 1e-5, "lambda 0");

  layers[2]->lambda = 1;
  const torch::Tensor h = net.body->forward(x).detach();
  const torch::Tensor codes = (h * 127 / h.abs().amax(1, true)).round();
  const torch::Tensor trits = (head / head.abs().mean()).round().clamp(-1, 1);
  const torch::Tensor expected =
      torch::mm(codes, trits.t()) * (h.abs().amax(1, true) / 127) * head.abs().mean();
  expect_close(net.forward(x), expected, 1e-5, "lambda 1");
}

TEST(ReplaceLinear, KeepsTheModeOfALayer) {
  Sequential module(Linear(4, 4));
  module->eval();
  EXPECT_FALSE(replace_linear(*module, kConfig)[0]->is_training());
}

TEST(ReplaceLinear, RefusesMembersAndChangesNothing) {
  struct Attention : torch::nn::Module {
    Attention() { register_module("query", query); }
    Linear query{4, 4};
  };
  struct Block : torch::nn::Module {
    Block() {
      register_module("first", first);
      register_module("attention", std::make_shared<Attention>());
    }
    Sequential first{Linear(4, 4)};
  };
  Block block;
  const auto modules = block.modules(false);
  try {
    replace_linear(block, kConfig);
    FAIL() << "expected InvalidArgument";
  } catch (const InvalidArgument& error) {
    EXPECT_NE(std::string(error.what()).find("'attention.query'"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(block.modules(false), modules);
  EXPECT_THROW(replace_linear(*Linear(4, 4), kConfig), InvalidArgument);
}

}  // namespace
}  // namespace bitnet::train
