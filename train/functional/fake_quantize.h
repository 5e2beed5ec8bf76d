// SPDX-License-Identifier: MIT
// Quantize and dequantize in one pass: values alone, without gradients.
#pragma once

#include <bitnet/config.h>
#include <bitnet/tensor.h>
#include <torch/types.h>

namespace bitnet::train {

/// x + lambda (x̂ - x), x [.., K]. Float32 on the CPU as the library quantizes, row by row in cache;
/// else the same formulas in tensor operations.
torch::Tensor fake_quantize_activations(const torch::Tensor& x, const BitNetConfig& config,
                                        double lambda);

/// w + lambda (ŵ - w), w [N, K].
torch::Tensor fake_quantize_weights(const torch::Tensor& w, const BitNetConfig& config,
                                    double lambda);

/// The memory of a contiguous float32 tensor [.., K] as the library sees it, [T, K].
TensorView view_of(const torch::Tensor& x);

}  // namespace bitnet::train
