// SPDX-License-Identifier: MIT
#include "functional/matrix_product.h"

#include <torch/torch.h>

namespace bitnet::train {
namespace {

FloatOperand operand(const torch::Tensor& x, bool transposed = false) {
  return {x.data_ptr<float>(), x.size(1), transposed};
}

}  // namespace

torch::Tensor matmul_nt(const torch::Tensor& a, const torch::Tensor& b) {
  if (!runs_fused(a)) {
    return torch::mm(a, b.t());
  }
  const torch::Tensor left = a.contiguous();
  const torch::Tensor right = b.contiguous();
  torch::Tensor out = torch::empty({left.size(0), right.size(0)}, left.options());
  sgemm(out.size(0), out.size(1), left.size(1), 1, operand(left), operand(right, true), 0,
        out.data_ptr<float>(), out.size(1));
  return out;
}

void add_matmul_nn(torch::Tensor& out, const torch::Tensor& a, const torch::Tensor& b) {
  if (!runs_fused(a)) {
    out.addmm_(a, b);
    return;
  }
  const torch::Tensor left = a.contiguous();
  const torch::Tensor right = b.contiguous();
  sgemm(out.size(0), out.size(1), left.size(1), 1, operand(left), operand(right), 1,
        out.data_ptr<float>(), out.size(1));
}

torch::Tensor matmul_tn(const torch::Tensor& a, const torch::Tensor& b) {
  torch::Tensor out = torch::zeros({a.size(1), b.size(1)}, a.options());
  add_matmul_tn(out, a, b);
  return out;
}

void add_matmul_tn(torch::Tensor& out, const torch::Tensor& a, const torch::Tensor& b) {
  if (!runs_fused(a)) {
    out.addmm_(a.t(), b);
    return;
  }
  const torch::Tensor left = a.contiguous();
  const torch::Tensor right = b.contiguous();
  sgemm(out.size(0), out.size(1), left.size(0), 1, operand(left, true), operand(right), 1,
        out.data_ptr<float>(), out.size(1));
}

}  // namespace bitnet::train
