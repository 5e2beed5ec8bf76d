// SPDX-License-Identifier: MIT
// Oracle: the recurrence of the moments, which reaches zero, not the subnormal numbers above it.
#include <bitnet/train/adamw.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace bitnet::train {
namespace {

TEST(AdamW, MomentsWithoutGradientsEndAtZero) {
  torch::Tensor weight = torch::ones({40}).requires_grad_();
  AdamW optimizer({{"weight", weight}});
  weight.mutable_grad() = torch::ones({40});
  optimizer.step(1e-3, 0);
  weight.mutable_grad() = torch::zeros({40});
  for (int step = 0; step < 2500; ++step) {
    optimizer.step(1e-3, 0);
  }
  // 0.95^2500 = 2e-56, far below the least float.
  EXPECT_EQ(optimizer.states()[0].first_moment.abs().max().item<float>(), 0);
  EXPECT_EQ(optimizer.states()[0].second_moment.max().item<float>(), 0);
}

}  // namespace
}  // namespace bitnet::train
