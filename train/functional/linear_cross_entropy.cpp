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

/// Some rows of the loss: the logits' share, in float64, and the gradient by them.
struct PartLoss {
  double sum;
  torch::Tensor d_logits;  // times the rows' weights; undefined where nobody needs it
};

/// Which rows count, and 1 / denominator for those, 0 for the others: both [rows, 1].
struct RowWeights {
  torch::Tensor is_scored, weight;
  bool needs_gradient;
};

double sum_of(const torch::Tensor& values, const RowWeights& rows) {
  return values.masked_select(rows.is_scored).sum(torch::kDouble).item<double>();
}

/// -Σ_v q_v log softmax(z)_v  with  q = (1 - ε) one-hot + ε/V;  by z:  softmax(z) - q.
PartLoss cross_entropy(const torch::Tensor& logits, const torch::Tensor& targets, double smoothing,
                       const RowWeights& rows) {
  const torch::Tensor column = targets.clamp_min(0);
  torch::Tensor log_p = torch::log_softmax(logits, 1);
  double sum = -(1 - smoothing) * sum_of(log_p.gather(1, column), rows);
  if (smoothing != 0) {
    sum -= smoothing * sum_of(log_p.mean(1, true), rows);
  }
  if (!rows.needs_gradient) {
    return {sum, {}};
  }
  torch::Tensor d_logits = log_p.exp_();
  if (smoothing != 0) {
    d_logits.sub_(smoothing / static_cast<double>(logits.size(1)));
  }
  d_logits.mul_(rows.weight).scatter_add_(1, column, rows.weight * (smoothing - 1));
  return {sum, d_logits};
}

/// weight τ² KL(p' ‖ p) with p = softmax(z/τ), and p' likewise of the teacher;  by z:
/// weight τ (p - p').
PartLoss divergence(const torch::Tensor& logits, const torch::Tensor& teacher_logits,
                    const TeacherLogits& teacher, const RowWeights& rows) {
  const double temperature = teacher.temperature;
  torch::Tensor log_p = torch::log_softmax(logits / temperature, 1);
  const torch::Tensor log_q = torch::log_softmax(teacher_logits / temperature, 1);
  const torch::Tensor q = log_q.exp();
  const double sum =
      teacher.weight * temperature * temperature * sum_of((q * (log_q - log_p)).sum(1, true), rows);
  if (!rows.needs_gradient) {
    return {sum, {}};
  }
  return {sum, log_p.exp_().sub_(q).mul_(rows.weight * (teacher.weight * temperature))};
}

/// Both gradients follow from the forward pass alone, so they are made there, part by part, and the
/// backward pass only scales them.
struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& states_in,
                               const torch::Tensor& head, const torch::Tensor& targets,
                               double denominator, double smoothing, const TeacherLogits& teacher,
                               Precision precision, bool has_backward) {
    const torch::Tensor states = states_in.contiguous();
    const bool needs_gradient = has_backward && (states_in.requires_grad() || head.requires_grad());
    torch::Tensor d_states = needs_gradient ? torch::empty_like(states) : torch::Tensor();
    torch::Tensor d_head = needs_gradient ? torch::zeros_like(head) : torch::Tensor();
    double loss = 0;
    for (std::int64_t first = 0; first < states.size(0); first += kPartTokens) {
      const std::int64_t count = std::min(kPartTokens, states.size(0) - first);
      const torch::Tensor part = states.narrow(0, first, count);
      const torch::Tensor target = targets.narrow(0, first, count).unsqueeze(1);
      const torch::Tensor logits = matmul_nt(part, head, precision);
      const RowWeights rows{target >= 0, (target >= 0).to(logits.scalar_type()).div_(denominator),
                            needs_gradient};
      PartLoss of_part = cross_entropy(logits, target, smoothing, rows);
      loss += of_part.sum;
      if (teacher.states.defined()) {
        const torch::Tensor teacher_logits =
            matmul_nt(teacher.states.narrow(0, first, count), teacher.head, precision);
        const PartLoss of_teacher = divergence(logits, teacher_logits, teacher, rows);
        loss += of_teacher.sum;
        if (needs_gradient) {
          of_part.d_logits.add_(of_teacher.d_logits);
        }
      }
      if (!needs_gradient) {
        continue;
      }
      torch::Tensor d_part = d_states.narrow(0, first, count);
      matmul_nn(of_part.d_logits, head, d_part, false, precision);
      matmul_tn(of_part.d_logits, part, d_head, true, precision);
    }
    context->save_for_backward({d_states, d_head});
    return torch::full({}, loss / denominator, states.options());
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const variable_list saved = context->get_saved_variables();
    return {saved[0] * output_gradients[0], saved[1] * output_gradients[0], {}, {}, {}, {}, {}, {}};
  }
};

}  // namespace

torch::Tensor linear_cross_entropy(const torch::Tensor& states, const torch::Tensor& head,
                                   const torch::Tensor& targets, double denominator,
                                   Precision precision, const TeacherLogits& teacher,
                                   double label_smoothing) {
  return LinearCrossEntropy::apply(states, head, targets, denominator, label_smoothing, teacher,
                                   precision, torch::GradMode::is_enabled());
}

}  // namespace bitnet::train
