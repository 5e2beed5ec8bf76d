// SPDX-License-Identifier: MIT
// Steps of training: BitLinear against float layers, in one process.
#include <ATen/Parallel.h>
#include <bitnet/train/adamw.h>
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/replace_linear.h>
#include <torch/torch.h>

#include <memory>

#include "base/message.h"
#include "contest.h"

// OpenBLAS has threads of its own, which torch does not count. Not there with another BLAS.
extern "C" void openblas_set_num_threads(int threads) __attribute__((weak));

namespace bitnet::bench {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kTokens = 4096;  // 16 rows of 256

void use_threads(const Runtime& runtime) {
  const auto threads = static_cast<int>(runtime.threads());
  at::set_num_threads(threads);
  if (openblas_set_num_threads != nullptr) {
    openblas_set_num_threads(threads);
  }
}

/// Forward and backward of one layer, with gradients of input and weight: three products.
template <class Forward>
Contender layer_step(const char* name, const Runtime& runtime, std::int64_t in, std::int64_t out,
                     const Forward& forward) {
  return {name, [=, &runtime] {
            torch::manual_seed(1);
            const torch::Tensor x = torch::randn({kTokens, in}).requires_grad_();
            const torch::Tensor w = torch::randn({out, in}).requires_grad_();
            const torch::Tensor dy = torch::randn({kTokens, out});
            return Task{3e-9 * static_cast<double>(kTokens * in * out), [=, &runtime] {
                          use_threads(runtime);
                          x.mutable_grad() = w.mutable_grad() = torch::Tensor();
                          forward(x, w).backward(dy);
                        }};
          }};
}

Contest layer_contest(const Runtime& runtime, std::int64_t in, std::int64_t out) {
  const auto with_strength = [](double lambda) {
    return [=](const torch::Tensor& x, const torch::Tensor& w) {
      return train::bit_linear(x, {w}, BitNetConfig::b158(), lambda)[0];
    };
  };
  return {.title = message("layer's step ", in, " x ", out, ", ", kTokens, " tokens"),
          .unit = "GMAC/s",
          .runtime = &runtime,
          .ours = {layer_step("BitLinear", runtime, in, out, with_strength(1))},
          .references = {layer_step("our float layer", runtime, in, out, with_strength(0)),
                         layer_step("nn::Linear", runtime, in, out,
                                    [](const torch::Tensor& x, const torch::Tensor& w) {
                                      return torch::linear(x, w);
                                    })}};
}

nn::Sequential feed_forward_stack() {
  torch::manual_seed(1);
  nn::Sequential stack;
  for (int i = 0; i < 4; ++i) {
    stack->push_back(nn::Linear(256, 768));
    stack->push_back(nn::ReLU());
    stack->push_back(nn::Linear(768, 256));
  }
  return stack;
}

/// Forward, backward and optimizer of a whole module.
Contender model_step(const char* name, const Runtime& runtime, bool is_ternary) {
  return {name, [=, &runtime] {
            nn::Sequential model = feed_forward_stack();
            if (is_ternary) {
              train::replace_linear(*model);
            }
            const auto optimizer = std::make_shared<train::AdamW>(*model);
            const torch::Tensor x = torch::randn({kTokens, 256});
            return Task{kTokens * 1e-3, [=, &runtime]() mutable {
                          use_threads(runtime);
                          optimizer->zero_grad();
                          model->forward(x).square().mean().backward();
                          optimizer->step(1e-4, 0.1);
                        }};
          }};
}

}  // namespace

std::vector<Contest> all_contests(const std::vector<Runtime>& runtimes) {
  std::vector<Contest> contests;
  for (const Runtime& runtime : runtimes) {
    for (const auto& [in, out] : {std::pair{256, 256}, {256, 768}, {768, 256}, {2560, 2560}}) {
      contests.push_back(layer_contest(runtime, in, out));
    }
    contests.push_back({.title = "model's step, 4 x (256 x 768 x 256)",
                        .unit = "ktok/s",
                        .runtime = &runtime,
                        .ours = {model_step("BitLinear", runtime, true)},
                        .references = {model_step("nn::Linear", runtime, false)}});
  }
  return contests;
}

}  // namespace bitnet::bench
