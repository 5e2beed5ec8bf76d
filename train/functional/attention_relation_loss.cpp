// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/functional.h>
#include <torch/torch.h>

#include "base/message.h"

namespace bitnet::train {
namespace {

/// What hides a position: cosines are at most 1, and exp of this is 0.
constexpr double kHidden = -1e4;

/// log softmax(â âᵀ) [B, heads, S, S]; no position looks at one that does not count.
torch::Tensor log_relations(const torch::Tensor& a, const torch::Tensor& counts,
                            std::int64_t heads) {
  if (a.size(2) % heads != 0) {
    throw InvalidArgument(
        message("relation heads: expected a divisor of ", a.size(2), ", found ", heads));
  }
  const torch::Tensor split = a.reshape({a.size(0), a.size(1), heads, -1}).transpose(1, 2);
  const torch::Tensor unit =
      torch::nn::functional::normalize(split, torch::nn::functional::NormalizeFuncOptions().dim(3));
  const torch::Tensor hidden = counts.logical_not().view({a.size(0), 1, 1, a.size(1)});
  return torch::log_softmax(torch::matmul(unit, unit.transpose(2, 3)).masked_fill(hidden, kHidden),
                            3);
}

}  // namespace

torch::Tensor attention_relation_loss(const AttentionInputs& student,
                                      const AttentionInputs& teacher, const torch::Tensor& counts,
                                      std::int64_t heads) {
  const auto divergence = [&](const torch::Tensor& of_student, const torch::Tensor& of_teacher) {
    const torch::Tensor log_q = log_relations(of_teacher.detach(), counts, heads);
    const torch::Tensor log_p = log_relations(of_student, counts, heads);
    const torch::Tensor of_rows = (log_q.exp() * (log_q - log_p)).sum(3);
    return of_rows.masked_select(counts.unsqueeze(1)).mean();
  };
  return divergence(student.q, teacher.q) + divergence(student.k, teacher.k) +
         divergence(student.v, teacher.v);
}

}  // namespace bitnet::train
