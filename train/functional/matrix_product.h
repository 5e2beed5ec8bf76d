// SPDX-License-Identifier: MIT
// Products of float matrices: the backward pass, and float layers.
#pragma once

#include <bitnet/train/functional.h>
#include <torch/types.h>

#include <cstdint>

namespace bitnet::train {

/// A row-major matrix or its transpose; rows lie `stride` elements apart.
struct FloatOperand {
  const float* data;
  std::int64_t stride;
  bool transposed = false;
};

/// c [M, N] = alpha a b + beta c with a [M, K] and b [K, N] as they are after transposition. Called
/// from within a parallel region it runs on the calling thread. One of two files implements it:
/// oneDNN's sgemm, or that of libtorch.
void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const FloatOperand& a,
           const FloatOperand& b, float beta, float* c, std::int64_t c_stride);

/// torch::matmul of any type on any device, its operands and sums of that precision.
torch::Tensor product(const torch::Tensor& a, const torch::Tensor& b, Precision precision);

/// a [T, K] bᵀ of b [N, K] -> [T, N]
torch::Tensor matmul_nt(const torch::Tensor& a, const torch::Tensor& b, Precision precision);
/// out [T, K] = a b of a [T, N] and b [N, K], or += that
void matmul_nn(const torch::Tensor& a, const torch::Tensor& b, torch::Tensor& out, bool adds,
               Precision precision);
/// out [N, K] = aᵀ b of a [T, N] and b [T, K], or += that
void matmul_tn(const torch::Tensor& a, const torch::Tensor& b, torch::Tensor& out, bool adds,
               Precision precision);

/// Float32 in the CPU's memory: what the fused loops take, made contiguous.
inline bool runs_fused(const torch::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == torch::kFloat32;
}

}  // namespace bitnet::train
