// SPDX-License-Identifier: MIT
#include <ATen/Parallel.h>
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/functional.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/message.h"
#include "functional/fake_quantize.h"
#include "functional/matrix_product.h"
#include "kernels/kernel_table.h"

namespace bitnet::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Tokens that are quantized and multiplied at once: their codes stay in a core's cache.
constexpr std::int64_t kPartTokens = 256;

/// Codes and scales of an input, kept for the backward pass in a quarter of its memory.
struct KeptCodes {
  torch::Tensor codes;   // int8 [T, K]
  torch::Tensor scales;  // [T]
};

/// y_i = x̂ ŵ_iᵀ by the integer kernels.
KeptCodes integer_products(const torch::Tensor& x,
                           const std::vector<bitnet::TernaryWeight>& weights,
                           const BitNetConfig& config, variable_list& outputs) {
  const std::int64_t tokens = x.size(0);
  const std::int64_t columns = x.size(1);
  std::vector<bitnet::BitLinear> layers;
  for (const bitnet::TernaryWeight& weight : weights) {
    layers.push_back(bitnet::BitLinear::from_quantized(weight, {}, config));
    outputs.push_back(
        torch::empty({tokens, static_cast<std::int64_t>(weight.out_features())}, x.options()));
  }
  KeptCodes kept{torch::empty({tokens, columns}, torch::kInt8),
                 torch::empty({tokens}, torch::kFloat32)};
  const auto part = [&](std::int64_t first, std::int64_t count) {
    thread_local QuantizedActivations quantized;
    const TensorView rows(
        x.data_ptr<float>() + first * columns,
        Shape{static_cast<std::size_t>(count), static_cast<std::size_t>(columns)});
    quantize_activations(rows, config, quantized);
    std::ranges::copy(quantized.data, kept.codes.data_ptr<std::int8_t>() + first * columns);
    for (std::int64_t t = 0; t < count; ++t) {
      kept.scales.data_ptr<float>()[first + t] = quantized.scale(t);
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::size_t width = layers[i].out_features();
      layers[i].forward_quantized(
          quantized, std::span(outputs[i].data_ptr<float>() + first * width, count * width));
    }
  };
  if (!config.per_token_activation) {
    part(0, tokens);
    return kept;
  }
  const std::int64_t parts = (tokens + kPartTokens - 1) / kPartTokens;
  at::parallel_for(0, parts, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      part(i * kPartTokens, std::min(kPartTokens, tokens - i * kPartTokens));
    }
  });
  return kept;
}

torch::Tensor dequantize(const KeptCodes& kept) {
  const std::int64_t columns = kept.codes.size(1);
  torch::Tensor x = torch::empty(kept.codes.sizes(), torch::kFloat32);
  const kernels::KernelTable& kernels = Runtime::serial().kernels();
  at::parallel_for(0, x.size(0), 64, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; ++t) {
      kernels.dequantize(kept.codes.data_ptr<std::int8_t>() + t * columns, columns,
                         kept.scales.data_ptr<float>()[t], x.data_ptr<float>() + t * columns);
    }
  });
  return x;
}

/// [T, N] -> [.., N], as the input has them.
void restore_leading_dimensions(const torch::Tensor& input, variable_list& outputs) {
  std::vector<std::int64_t> shape = input.sizes().vec();
  for (torch::Tensor& output : outputs) {
    shape.back() = output.size(1);
    output = output.view(shape);
  }
}

/// Saved: the operands of the products, x' (or its codes and scales) and w_i'; of integer products
/// only if there will be a backward pass.
struct SharedInputProducts : torch::autograd::Function<SharedInputProducts> {
  static variable_list forward(AutogradContext* context, const torch::Tensor& input,
                               at::TensorList weights, const BitNetConfig& config, double lambda,
                               Precision precision, bool has_backward) {
    const torch::Tensor x = input.reshape({-1, input.size(-1)}).contiguous();
    const bool is_integer = lambda == 1 && runs_fused(x) && x.numel() != 0;
    variable_list outputs, saved;
    if (is_integer) {
      std::vector<bitnet::TernaryWeight> packed;
      for (const torch::Tensor& weight : weights) {
        packed.push_back(quantize_weights(view_of(weight.contiguous()), config));
      }
      const KeptCodes kept = integer_products(x, packed, config, outputs);
      saved = {kept.codes, kept.scales};
    } else {
      saved = {fake_quantize_activations(x, config, lambda), {}};
    }
    for (const torch::Tensor& weight : weights) {
      if (!is_integer || has_backward) {
        saved.push_back(fake_quantize_weights(weight, config, lambda));
      }
      if (!is_integer) {
        outputs.push_back(matmul_nt(saved[0], saved.back(), precision));
      }
    }
    restore_leading_dimensions(input, outputs);
    context->save_for_backward(saved);
    context->saved_data["input_needs_gradient"] = input.requires_grad();
    context->saved_data["weights_need_gradient"] =
        std::ranges::any_of(weights, [](const torch::Tensor& w) { return w.requires_grad(); });
    context->saved_data["precision"] = static_cast<std::int64_t>(precision);
    context->saved_data["shape"] = input.sizes().vec();
    return outputs;
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const auto precision = static_cast<Precision>(context->saved_data["precision"].toInt());
    const variable_list saved = context->get_saved_variables();
    const std::vector<std::int64_t> shape = context->saved_data["shape"].toIntVector();
    variable_list gradients;
    for (const torch::Tensor& gradient : output_gradients) {
      gradients.push_back(gradient.reshape({-1, gradient.size(-1)}));
    }
    variable_list results(1);
    if (context->saved_data["input_needs_gradient"].toBool()) {
      torch::Tensor dx = torch::empty({gradients[0].size(0), shape.back()}, gradients[0].options());
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        matmul_nn(gradients[i], saved[2 + i], dx, i != 0, precision);
      }
      results[0] = dx.view(shape);
    }
    results.resize(1 + gradients.size());
    if (context->saved_data["weights_need_gradient"].toBool()) {
      const torch::Tensor x = saved[1].defined() ? dequantize({saved[0], saved[1]}) : saved[0];
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        results[1 + i] = torch::empty({gradients[i].size(1), x.size(1)}, x.options());
        matmul_tn(gradients[i], x, results[1 + i], false, precision);
      }
    }
    results.resize(results.size() + 4);  // the other arguments have none
    return results;
  }
};

struct FrozenProducts : torch::autograd::Function<FrozenProducts> {
  static variable_list forward(AutogradContext* context, const torch::Tensor& input,
                               const std::vector<FrozenTernaryPtr>& weights,
                               const BitNetConfig& config) {
    const torch::Tensor x = input.reshape({-1, input.size(-1)}).contiguous();
    std::vector<bitnet::TernaryWeight> packed;
    c10::List<c10::IValue> kept(c10::AnyType::get());
    for (const FrozenTernaryPtr& weight : weights) {
      packed.push_back(weight->weight);
      kept.push_back(c10::IValue::make_capsule(weight));
    }
    variable_list outputs;
    integer_products(x, packed, config, outputs);
    restore_leading_dimensions(input, outputs);
    context->saved_data["weights"] = kept;
    context->saved_data["shape"] = input.sizes().vec();
    return outputs;
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const std::vector<std::int64_t> shape = context->saved_data["shape"].toIntVector();
    const c10::List<c10::IValue> weights = context->saved_data["weights"].toList();
    torch::Tensor dx = torch::empty(shape).view({-1, shape.back()});
    for (std::size_t i = 0; i < output_gradients.size(); ++i) {
      const c10::IValue kept = weights.get(i);
      Tensor w = dequantize_weights(static_cast<const FrozenTernary&>(*kept.toCapsule()).weight);
      const torch::Tensor w_hat =
          torch::from_blob(w.data.data(), {output_gradients[i].size(-1), shape.back()});
      matmul_nn(output_gradients[i].reshape({-1, output_gradients[i].size(-1)}), w_hat, dx, i != 0,
                Precision::float32);
    }
    return {dx.view(shape), {}, {}};
  }
};

}  // namespace

std::vector<torch::Tensor> bit_linear(const torch::Tensor& x,
                                      const std::vector<FrozenTernaryPtr>& weights,
                                      const BitNetConfig& config) {
  if (!runs_fused(x)) {
    throw UnsupportedError("bit_linear: expected float32 on the CPU before packed weights");
  }
  for (const FrozenTernaryPtr& weight : weights) {
    if (x.dim() == 0 || static_cast<std::size_t>(x.size(-1)) != weight->weight.in_features()) {
      throw ShapeMismatch(message("bit_linear: expected an input of ", weight->weight.in_features(),
                                  " features, found ", x.sizes()));
    }
  }
  return FrozenProducts::apply(x, weights, config);
}

std::vector<torch::Tensor> bit_linear(const torch::Tensor& x,
                                      const std::vector<torch::Tensor>& weights,
                                      const BitNetConfig& config, double lambda,
                                      Precision precision) {
  config.validate();
  for (const torch::Tensor& weight : weights) {
    if (weight.dim() != 2 || x.dim() == 0 || weight.size(1) != x.size(-1)) {
      throw ShapeMismatch(message("bit_linear: expected a weight [N, ",
                                  x.dim() == 0 ? 0 : x.size(-1), "], found ", weight.sizes()));
    }
  }
  const bool has_backward = config.enable_ste && torch::GradMode::is_enabled();
  const torch::AutoGradMode mode(has_backward);
  return SharedInputProducts::apply(x, at::TensorList(weights), config, lambda, precision,
                                    has_backward);
}

BitLinearImpl::BitLinearImpl(const BitLinearOptions& chosen) : options(chosen) {
  BitLinearImpl::reset();
}

BitLinearImpl::BitLinearImpl(const torch::nn::Linear& linear, const BitNetConfig& config)
    : options(BitLinearOptions(linear->weight.size(1), linear->weight.size(0))
                  .bias(linear->bias.defined())
                  .quantization(config)) {
  weight = register_parameter("weight", linear->weight);
  bias = register_parameter("bias", linear->bias, linear->bias.defined());
}

void BitLinearImpl::reset() {
  options.config.validate();
  weight = register_parameter("weight", torch::empty({options.out_features, options.in_features}));
  bias = options.with_bias ? register_parameter("bias", torch::empty({options.out_features}))
                           : register_parameter("bias", {}, false);
  norm_weight = options.with_norm_weight
                    ? register_parameter("norm_weight", torch::ones({options.in_features}))
                    : register_parameter("norm_weight", {}, false);
  reset_parameters();
}

void BitLinearImpl::reset_parameters() {
  const double bound = 1 / std::sqrt(static_cast<double>(options.in_features));
  const torch::NoGradGuard no_grad;
  weight.uniform_(-bound, bound);
  if (bias.defined()) {
    bias.uniform_(-bound, bound);
  }
}

void BitLinearImpl::pretty_print(std::ostream& stream) const {
  stream << "bitnet::train::BitLinear(in_features=" << options.in_features
         << ", out_features=" << options.out_features << ", bias=" << std::boolalpha
         << options.with_bias << ")";
}

torch::Tensor BitLinearImpl::forward(const torch::Tensor& x) {
  const torch::Tensor input =
      options.config.use_rms_norm ? rms_norm(x, norm_weight, options.config.eps) : x;
  const torch::Tensor y = bit_linear(input, {weight}, options.config, lambda)[0];
  return bias.defined() ? y + bias : y;
}

bitnet::BitLinear BitLinearImpl::to_inference() const {
  const auto floats = [](const torch::Tensor& x) {
    return x.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  };
  const auto span_of = [](const torch::Tensor& x) {
    return x.defined() ? std::span<const float>(x.data_ptr<float>(), x.numel())
                       : std::span<const float>();
  };
  const torch::Tensor weights = floats(weight);
  const torch::Tensor biases = bias.defined() ? floats(bias) : bias;
  const auto layer =
      bitnet::BitLinear::from_weight(view_of(weights), span_of(biases), options.config);
  if (!norm_weight.defined()) {
    return layer;
  }
  const torch::Tensor gains = floats(norm_weight);
  return layer.with_norm_weight(span_of(gains));
}

}  // namespace bitnet::train
