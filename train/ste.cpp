// SPDX-License-Identifier: MIT
#include <bitnet/train/ste.h>
#include <torch/torch.h>

#include "functional/fake_quantize.h"

namespace bitnet::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using FakeQuantize = torch::Tensor (*)(const torch::Tensor&, const BitNetConfig&, double);

struct StraightThrough : torch::autograd::Function<StraightThrough> {
  static torch::Tensor forward(AutogradContext* /*context*/, const torch::Tensor& x,
                               FakeQuantize quantize, const BitNetConfig& config, double lambda) {
    const torch::Tensor result = quantize(x, config, lambda);
    return result.is_same(x) ? x.clone() : result;
  }
  static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
    return {gradients[0], {}, {}, {}};
  }
};

torch::Tensor straight_through(const torch::Tensor& x, FakeQuantize quantize,
                               const BitNetConfig& config, double lambda) {
  if (!config.enable_ste) {
    return quantize(x.detach(), config, lambda);
  }
  return StraightThrough::apply(x, quantize, config, lambda);
}

}  // namespace

torch::Tensor absmax_ste(const torch::Tensor& x, const BitNetConfig& config, double lambda) {
  return straight_through(x, fake_quantize_activations, config, lambda);
}

torch::Tensor absmean_ste(const torch::Tensor& w, const BitNetConfig& config, double lambda) {
  return straight_through(w, fake_quantize_weights, config, lambda);
}

}  // namespace bitnet::train
