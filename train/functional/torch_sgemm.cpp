// SPDX-License-Identifier: MIT
// For a libtorch that brings fast products of its own, or a machine without oneDNN's headers.
#include <torch/torch.h>

#include "functional/matrix_product.h"

namespace bitnet::train {
namespace {

torch::Tensor view(const FloatOperand& x, std::int64_t rows, std::int64_t columns) {
  // from_blob takes no const; nothing is written through it.
  auto* data = const_cast<float*>(x.data);
  return x.transposed ? torch::from_blob(data, {rows, columns}, {1, x.stride})
                      : torch::from_blob(data, {rows, columns}, {x.stride, 1});
}

}  // namespace

void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const FloatOperand& a,
           const FloatOperand& b, float beta, float* c, std::int64_t c_stride) {
  torch::Tensor out = torch::from_blob(c, {m, n}, {c_stride, 1});
  const at::NoGradGuard no_grad;
  if (beta == 0) {  // what was there may be NaN
    out.zero_();
  }
  out.addmm_(view(a, m, k), view(b, k, n), beta == 0 ? 1 : beta, alpha);
}

}  // namespace bitnet::train
