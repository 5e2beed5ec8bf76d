// SPDX-License-Identifier: MIT
// A module of torch::nn::Linear, trained in full precision, becomes ternary: BitLinear in the place
// of each Linear, and some more training while quantization fades in.
//   models/fashion/fetch && build/release/swap_linear
#include <bitnet/train/adamw.h>
#include <bitnet/train/replace_linear.h>
#include <bitnet/train/schedule.h>
#include <torch/torch.h>

#include <functional>
#include <iostream>

#include "fashion_mnist.h"

using namespace bitnet::train;

void train(torch::nn::Sequential& module, const LabelledPictures& pictures, int epochs,
           double learning_rate, const std::function<void(std::int64_t)>& before_step) {
  AdamW optimizer(module->named_parameters().pairs());
  const Schedule schedule{
      .kind = ScheduleKind::cosine, .steps = epochs * 600, .learning_rate = learning_rate};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (const torch::Tensor& some : torch::randperm(60000).split(100)) {
      before_step(optimizer.steps());
      optimizer.zero_grad();
      const torch::Tensor logits = module->forward(pictures.pixels.index_select(0, some));
      torch::nn::functional::cross_entropy(logits, pictures.kinds.index_select(0, some)).backward();
      const auto [rate, weight_decay] = schedule.at(optimizer.steps());
      optimizer.step(rate, weight_decay);
    }
  }
}

int main(int argc, char** argv) {
  torch::manual_seed(1);
  const std::string folder = argc > 1 ? argv[1] : "build/models/fashion/data";
  const LabelledPictures pictures(folder, "train"), test(folder, "t10k");

  using torch::nn::Linear, torch::nn::ReLU;
  torch::nn::Sequential mlp(Linear(784, 256), ReLU(), Linear(256, 256), ReLU(), Linear(256, 10));
  train(mlp, pictures, 3, 1e-3, [](std::int64_t) {});
  std::cout << "full precision: " << accuracy(mlp, test) << " % of the test" << std::endl;

  std::vector<BitLinear> layers = replace_linear(*mlp, bitnet::BitNetConfig::b158());
  std::cout << "ternary, not trained further: " << accuracy(mlp, test) << " %" << std::endl;

  // Full strength after one of four epochs: lambda goes from 0 to 1.
  train(mlp, pictures, 4, 1e-3, [&](std::int64_t step) {
    for (BitLinear& layer : layers) layer->lambda = lambda_at(step, 600);
  });
  std::cout << "ternary: " << accuracy(mlp, test) << " %" << std::endl;
}
