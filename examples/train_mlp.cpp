// SPDX-License-Identifier: MIT
// A multilayer perceptron of BitLinear learns Fashion-MNIST and then runs without libtorch.
//   models/fashion/fetch && build/release/train_mlp
#include <bitnet/train/adamw.h>
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/schedule.h>
#include <torch/torch.h>

#include <iostream>

#include "fashion_mnist.h"

using namespace bitnet::train;

int main(int argc, char** argv) {
  torch::manual_seed(1);
  const std::string folder = argc > 1 ? argv[1] : "build/models/fashion/data";
  const LabelledPictures train(folder, "train"), test(folder, "t10k");

  // Ternary weights, 8-bit inputs that are normalized first; pixels come normalized enough.
  const auto config = bitnet::BitNetConfig::b158();
  const auto layer = [&](int in, int out) {
    return BitLinear(BitLinearOptions(in, out).quantization(config.with_rms_norm(in != 784)));
  };
  torch::nn::Sequential mlp(layer(784, 512), torch::nn::ReLU(), layer(512, 512), torch::nn::ReLU(),
                            layer(512, 10));

  const int epochs = 8, batch = 100, steps = epochs * 60000 / batch;
  AdamW optimizer(mlp->named_parameters().pairs());
  const Schedule schedule{
      .kind = ScheduleKind::cosine, .steps = steps, .warmup_steps = 300, .learning_rate = 2e-3};
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    for (const torch::Tensor& some : torch::randperm(60000).split(batch)) {
      optimizer.zero_grad();
      const torch::Tensor logits = mlp->forward(train.pixels.index_select(0, some));
      torch::nn::functional::cross_entropy(logits, train.kinds.index_select(0, some)).backward();
      const auto [learning_rate, weight_decay] = schedule.at(optimizer.steps());
      optimizer.step(learning_rate, weight_decay);
    }
    std::cout << "epoch " << epoch << ": " << accuracy(mlp, test) << " % of the test" << std::endl;
  }

  // The layers for inference: packed trits, integer products, no libtorch.
  bitnet::TensorView input(test.pixels.data_ptr<float>(), {10000, 784});
  bitnet::Tensor x;
  for (const int i : {0, 2, 4}) {
    const bitnet::BitLinear linear = mlp->ptr<BitLinearImpl>(i)->to_inference();
    x = linear.forward(input);
    for (float& value : x.data) value = i == 4 ? value : std::max(value, 0.0F);
    input = x.view();
  }
  const torch::NoGradGuard no_grad;
  const bool same =
      torch::equal(mlp->forward(test.pixels), torch::from_blob(x.data.data(), {10000, 10}));
  std::cout << "logits of the integer layers: " << (same ? "the same" : "different") << "\n";
}
