// SPDX-License-Identifier: MIT
#include <ATen/Parallel.h>
#include <bitnet/train/adamw.h>
#include <torch/torch.h>

#include <cmath>

#include "functional/matrix_product.h"

namespace bitnet::train {
namespace {

/// The numbers of one step.
struct StepFactors {
  float beta1, beta2, decay, rate, second_correction, eps;
};

/// Moments below this move no weight: beside eps they are nothing. Without gradients they would
/// decay to subnormal numbers and stay there, where each product takes a hundred times as long.
constexpr float kLeastMoment = 1e-30F;

float flushed(float moment) { return std::abs(moment) < kLeastMoment ? 0 : moment; }

/// One pass over the four arrays.
void step_fused(const AdamWState& state, const torch::Tensor& gradient, const StepFactors& f) {
  float* const w = state.parameter.data_ptr<float>();
  float* const m = state.first_moment.data_ptr<float>();
  float* const v = state.second_moment.data_ptr<float>();
  const float* const g = gradient.data_ptr<float>();
  constexpr std::int64_t kGrain = 1 << 14;
  at::parallel_for(0, state.parameter.numel(), kGrain, [&](std::int64_t first, std::int64_t last) {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) {
      m[i] = flushed(f.beta1 * m[i] + (1 - f.beta1) * g[i]);
      v[i] = flushed(f.beta2 * v[i] + (1 - f.beta2) * (g[i] * g[i]));
      w[i] = w[i] * f.decay - f.rate * m[i] / (std::sqrt(v[i]) * f.second_correction + f.eps);
    }
  });
}

void step_in_tensor_operations(const AdamWState& state, const torch::Tensor& gradient,
                               const StepFactors& f) {
  torch::Tensor w = state.parameter;
  torch::Tensor m = state.first_moment;
  torch::Tensor v = state.second_moment;
  m.mul_(f.beta1).add_(gradient, 1 - f.beta1);
  v.mul_(f.beta2).addcmul_(gradient, gradient, 1 - f.beta2);
  w.mul_(f.decay).addcdiv_(m, v.sqrt().mul_(f.second_correction).add_(f.eps), -f.rate);
}

}  // namespace

namespace {

AdamW::NamedParameters learning_parameters(const torch::nn::Module& module) {
  AdamW::NamedParameters parameters;
  for (const auto& parameter : module.named_parameters()) {
    if (parameter.value().requires_grad()) {
      parameters.emplace_back(parameter.key(), parameter.value());
    }
  }
  return parameters;
}

}  // namespace

AdamW::AdamW(const torch::nn::Module& module, const AdamWOptions& options)
    : AdamW(learning_parameters(module), options) {}

AdamW::AdamW(const NamedParameters& parameters, const AdamWOptions& options) : options_(options) {
  for (const auto& [name, parameter] : parameters) {
    states_.push_back(
        {name, parameter, torch::zeros_like(parameter), torch::zeros_like(parameter)});
  }
}

void AdamW::zero_grad() {
  for (const AdamWState& state : states_) {
    state.parameter.mutable_grad() = torch::Tensor();
  }
}

double AdamW::gradient_norm() const {
  double squares = 0;
  for (const AdamWState& state : states_) {
    if (state.parameter.grad().defined()) {
      const double norm = state.parameter.grad().norm().item<double>();
      squares += norm * norm;
    }
  }
  return std::sqrt(squares);
}

void AdamW::scale_gradients(double factor) {
  for (const AdamWState& state : states_) {
    if (state.parameter.grad().defined()) {
      state.parameter.mutable_grad().mul_(factor);
    }
  }
}

void AdamW::step(double learning_rate, double weight_decay) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const auto t = static_cast<double>(steps_);
  for (const AdamWState& state : states_) {
    if (!state.parameter.grad().defined()) {
      continue;
    }
    const bool decays = state.parameter.dim() >= 2;
    const StepFactors factors{
        .beta1 = static_cast<float>(options_.beta1),
        .beta2 = static_cast<float>(options_.beta2),
        .decay = static_cast<float>(1 - (decays ? learning_rate * weight_decay : 0)),
        .rate = static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, t))),
        .second_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t))),
        .eps = static_cast<float>(options_.eps)};
    const torch::Tensor gradient = state.parameter.grad().contiguous();
    if (runs_fused(state.parameter) && state.parameter.is_contiguous()) {
      step_fused(state, gradient, factors);
    } else {
      step_in_tensor_operations(state, gradient, factors);
    }
  }
}

}  // namespace bitnet::train
