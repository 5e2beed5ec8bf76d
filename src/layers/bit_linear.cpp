// SPDX-License-Identifier: MIT
#include <bitnet/bit_linear.h>
#include <bitnet/error.h>

#include <cmath>
#include <utility>

#include "base/message.h"
#include "kernels/ternary_matmul.h"

namespace bitnet {
namespace {

void check_vector(const char* what, std::span<const float> values, std::size_t expected) {
  if (!values.empty() && values.size() != expected) {
    throw ShapeMismatch(
        message("BitLinear: expected ", expected, " ", what, " elements, found ", values.size()));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw NonFiniteError(message("BitLinear ", what), 0, i, values[i]);
    }
  }
}

Shape with_last_dim(const Shape& shape, std::size_t columns) {
  return shape.rank() == 2 ? Shape{shape[0], columns} : Shape{shape[0], shape[1], columns};
}

/// Kept per thread so that steady use allocates nothing.
ActivationPanel& activation_panel() {
  thread_local ActivationPanel panel;
  return panel;
}

void check_activations(const QuantizedActivations& x, std::size_t in_features) {
  if ((x.shape.rank() != 2 && x.shape.rank() != 3) || x.hidden_dim() != in_features ||
      x.data.size() != x.shape.numel() ||
      x.scales.size() != (x.per_token ? x.tokens() : std::size_t{1})) {
    throw ShapeMismatch(message("BitLinear: expected 2D or 3D activations with ", in_features,
                                " features, found shape ", x.shape.to_string(), ", ", x.data.size(),
                                " codes, ", x.scales.size(), " scales"));
  }
}

}  // namespace

BitLinear::BitLinear(TernaryWeight weight, std::span<const float> bias, const BitNetConfig& config)
    : weight_(std::move(weight)), bias_(bias.begin(), bias.end()), config_(config) {
  config_.validate();
  check_vector("bias", bias_, weight_.out_features());
}

BitLinear BitLinear::from_weight(const TensorView& weight, std::span<const float> bias,
                                 const BitNetConfig& config, const Runtime& runtime) {
  return BitLinear(quantize_weights(weight, config, runtime), bias, config);
}

BitLinear BitLinear::from_quantized(TernaryWeight weight, std::span<const float> bias,
                                    const BitNetConfig& config) {
  return BitLinear(std::move(weight), bias, config);
}

BitLinear BitLinear::with_norm_weight(std::span<const float> gain) const {
  check_vector("norm weight", gain, in_features());
  BitLinear layer = *this;
  layer.norm_weight_.assign(gain.begin(), gain.end());
  return layer;
}

Tensor BitLinear::forward(const TensorView& x, const Runtime& runtime) const {
  if (x.columns() != in_features()) {
    throw ShapeMismatch(message("BitLinear: expected ", in_features(), " features, found shape ",
                                x.shape().to_string()));
  }
  thread_local QuantizedActivations codes;
  if (config_.use_rms_norm) {
    rms_norm_quantize(x, norm_weight_, config_, codes, runtime);
  } else {
    quantize_activations(x, config_, codes, runtime);
  }
  return forward_quantized(codes, runtime);
}

Tensor BitLinear::forward_quantized(const QuantizedActivations& x, const Runtime& runtime) const {
  check_activations(x, in_features());
  const Shape shape = with_last_dim(x.shape, out_features());
  Tensor y{std::vector<float>(shape.numel()), shape};
  forward_quantized(x, y.data, runtime);
  return y;
}

void BitLinear::forward_quantized(const QuantizedActivations& x, std::span<float> y,
                                  const Runtime& runtime) const {
  check_activations(x, in_features());
  if (y.size() != x.tokens() * out_features()) {
    throw ShapeMismatch(message("BitLinear: expected an output of ", x.tokens(), " x ",
                                out_features(), " elements, found ", y.size()));
  }
  activation_panel().assign(x.data, x.tokens(), weight_, runtime);
  const TernaryProduct product{&weight_, y, bias_};
  ternary_matmul({&product, 1}, activation_panel(), x.scales, runtime);
}

std::vector<std::int32_t> BitLinear::integer_product(const QuantizedActivations& x,
                                                     const Runtime& runtime) const {
  check_activations(x, in_features());
  activation_panel().assign(x.data, x.tokens(), weight_, runtime);
  std::vector<std::int32_t> sums(x.tokens() * weight_.groups() * out_features());
  ternary_matmul(weight_, activation_panel(), sums, runtime);
  return sums;
}

}  // namespace bitnet
