// SPDX-License-Identifier: MIT
// Straight-through estimators, values only: what a forward pass sees. Gradients are the identity;
// autograd lives in the training target.
#pragma once

#include <bitnet/config.h>
#include <bitnet/runtime.h>
#include <bitnet/tensor.h>

#include <span>
#include <vector>

namespace bitnet {

/// clamp(round(x / scale), min, max) * scale, half away from zero. scale must be positive and
/// finite.
std::vector<float> ste_forward(std::span<const float> x, float scale, float min, float max);
/// The straight-through gradient: the incoming one, unchanged.
std::vector<float> ste_backward(std::span<const float> grad);
/// ste_forward with the range -1..1.
std::vector<float> ternary_ste(std::span<const float> x, float scale);
/// ste_forward with the range -127..127.
std::vector<float> int8_ste(std::span<const float> x, float scale);

/// dequantize_activations(quantize_activations(x)).
Tensor quantize_ste(const TensorView& x, const BitNetConfig& config = {},
                    const Runtime& runtime = Runtime::serial());

}  // namespace bitnet
