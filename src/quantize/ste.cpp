// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <bitnet/ste.h>

#include <algorithm>
#include <cmath>

#include "base/message.h"

namespace bitnet {

std::vector<float> ste_forward(std::span<const float> x, float scale, float min, float max) {
  if (!(scale > 0.0F) || !std::isfinite(scale)) {
    throw QuantizationError(
        message("ste_forward: expected a positive finite scale, found ", scale));
  }
  if (!(min <= max)) {
    throw InvalidArgument(message("ste_forward: expected min <= max, found ", min, " and ", max));
  }
  std::vector<float> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i])) {
      throw NonFiniteError("ste_forward", 0, i, x[i]);
    }
    y[i] = std::clamp(std::round(x[i] / scale), min, max) * scale;
  }
  return y;
}

std::vector<float> ste_backward(std::span<const float> grad) { return {grad.begin(), grad.end()}; }

std::vector<float> ternary_ste(std::span<const float> x, float scale) {
  return ste_forward(x, scale, -1.0F, 1.0F);
}

std::vector<float> int8_ste(std::span<const float> x, float scale) {
  return ste_forward(x, scale, -127.0F, 127.0F);
}

Tensor quantize_ste(const TensorView& x, const BitNetConfig& config, const Runtime& runtime) {
  return dequantize_activations(quantize_activations(x, config, runtime), runtime);
}

}  // namespace bitnet
