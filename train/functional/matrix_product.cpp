// SPDX-License-Identifier: MIT
#include "functional/matrix_product.h"

#include <torch/torch.h>

namespace bitnet::train {
namespace {

FloatOperand operand(const torch::Tensor& x, bool transposed = false) {
  return {x.data_ptr<float>(), x.size(1), transposed};
}

void put(const torch::Tensor& product, torch::Tensor& out, bool adds) {
  adds ? out.add_(product) : out.copy_(product);
}

}  // namespace

torch::Tensor product(const torch::Tensor& a, const torch::Tensor& b, Precision precision) {
  if (precision == Precision::float32) {
    return torch::matmul(a, b);
  }
  return torch::matmul(a.to(torch::kBFloat16), b.to(torch::kBFloat16)).to(a.scalar_type());
}

torch::Tensor matmul_nt(const torch::Tensor& a, const torch::Tensor& b, Precision precision) {
  if (precision != Precision::float32 || !runs_fused(a)) {
    return product(a, b.t(), precision);
  }
  const torch::Tensor left = a.contiguous();
  const torch::Tensor right = b.contiguous();
  torch::Tensor out = torch::empty({left.size(0), right.size(0)}, left.options());
  sgemm(out.size(0), out.size(1), left.size(1), 1, operand(left), operand(right, true), 0,
        out.data_ptr<float>(), out.size(1));
  return out;
}

void matmul_nn(const torch::Tensor& a, const torch::Tensor& b, torch::Tensor& out, bool adds,
               Precision precision) {
  if (precision == Precision::bfloat16) {
    put(product(a, b, precision), out, adds);
    return;
  }
  if (!runs_fused(a)) {
    out.addmm_(a, b, adds ? 1 : 0);
    return;
  }
  const torch::Tensor left = a.contiguous();
  const torch::Tensor right = b.contiguous();
  sgemm(out.size(0), out.size(1), left.size(1), 1, operand(left), operand(right), adds ? 1 : 0,
        out.data_ptr<float>(), out.size(1));
}

void matmul_tn(const torch::Tensor& a, const torch::Tensor& b, torch::Tensor& out, bool adds,
               Precision precision) {
  if (precision == Precision::bfloat16) {
    put(product(a.t(), b, precision), out, adds);
    return;
  }
  if (!runs_fused(a)) {
    out.addmm_(a.t(), b, adds ? 1 : 0);
    return;
  }
  const torch::Tensor left = a.contiguous();
  const torch::Tensor right = b.contiguous();
  sgemm(out.size(0), out.size(1), left.size(0), 1, operand(left, true), operand(right),
        adds ? 1 : 0, out.data_ptr<float>(), out.size(1));
}

}  // namespace bitnet::train
