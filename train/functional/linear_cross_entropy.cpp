// SPDX-License-Identifier: MIT
#include <bitnet/train/functional.h>
#include <torch/torch.h>

#include <algorithm>

#include "functional/matrix_product.h"

namespace bitnet::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Tokens whose logits exist at a time: 4 MB of them at a vocabulary of 4096.
constexpr std::int64_t kPartTokens = 256;

/// dlogits = (softmax - one-hot) / denominator follows from the forward pass alone, so both
/// gradients are made there, part by part, and the backward pass only scales them.
struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& states_in,
                               const torch::Tensor& head, const torch::Tensor& targets,
                               double denominator, bool has_backward) {
    const torch::Tensor states = states_in.contiguous();
    const bool needs_gradient = has_backward && (states_in.requires_grad() || head.requires_grad());
    torch::Tensor d_states = needs_gradient ? torch::empty_like(states) : torch::Tensor();
    torch::Tensor d_head = needs_gradient ? torch::zeros_like(head) : torch::Tensor();
    double loss = 0;
    for (std::int64_t first = 0; first < states.size(0); first += kPartTokens) {
      const std::int64_t count = std::min(kPartTokens, states.size(0) - first);
      const torch::Tensor part = states.narrow(0, first, count);
      const torch::Tensor target = targets.narrow(0, first, count).unsqueeze(1);
      const torch::Tensor is_scored = target >= 0;
      const torch::Tensor column = target.clamp_min(0);
      torch::Tensor logits = torch::log_softmax(matmul_nt(part, head), 1);
      loss -= logits.gather(1, column).masked_select(is_scored).sum(torch::kDouble).item<double>();
      if (!needs_gradient) {
        continue;
      }
      const torch::Tensor weight = is_scored.to(logits.scalar_type()).div_(denominator);
      logits.exp_().mul_(weight).scatter_add_(1, column, -weight);  // now dlogits
      torch::Tensor d_part = d_states.narrow(0, first, count);
      matmul_nn(logits, head, d_part, false);
      matmul_tn(logits, part, d_head, true);
    }
    context->save_for_backward({d_states, d_head});
    return torch::full({}, loss / denominator, states.options());
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const variable_list saved = context->get_saved_variables();
    return {saved[0] * output_gradients[0], saved[1] * output_gradients[0], {}, {}, {}};
  }
};

}  // namespace

torch::Tensor linear_cross_entropy(const torch::Tensor& states, const torch::Tensor& head,
                                   const torch::Tensor& targets, double denominator) {
  return LinearCrossEntropy::apply(states, head, targets, denominator,
                                   torch::GradMode::is_enabled());
}

}  // namespace bitnet::train
