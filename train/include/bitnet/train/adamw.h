// SPDX-License-Identifier: MIT
// AdamW (arXiv 1711.05101) with its state in the open, so that a checkpoint holds it.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bitnet::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
};

/// A parameter and its running moments, of its shape.
struct AdamWState {
  std::string name;
  torch::Tensor parameter;
  torch::Tensor first_moment;
  torch::Tensor second_moment;
};

/// Step t = 1, 2, ..:  m = β1 m + (1 - β1) g,  v = β2 v + (1 - β2) g²,
///   w -= lr wd w (matrices only, not gains),  w -= lr (m / (1 - β1^t)) / (sqrt(v / (1 - β2^t)) +
///   eps).
class AdamW {
 public:
  using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;
  explicit AdamW(const NamedParameters& parameters, const AdamWOptions& options = {});
  /// Of all parameters of the module that require a gradient.
  explicit AdamW(const torch::nn::Module& module, const AdamWOptions& options = {});

  void zero_grad();
  /// sqrt(Σ g²) over all parameters.
  double gradient_norm() const;
  /// Multiplies all gradients.
  void scale_gradients(double factor);
  void step(double learning_rate, double weight_decay);

  /// Steps taken.
  std::int64_t steps() const { return steps_; }
  const std::vector<AdamWState>& states() const { return states_; }
  /// Continues from states that were read into the tensors of states().
  void resume(std::int64_t steps) { steps_ = steps; }

 private:
  AdamWOptions options_;
  std::vector<AdamWState> states_;
  std::int64_t steps_ = 0;
};

}  // namespace bitnet::train
