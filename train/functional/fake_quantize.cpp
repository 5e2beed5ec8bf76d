// SPDX-License-Identifier: MIT
#include "functional/fake_quantize.h"

#include <ATen/Parallel.h>
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <bitnet/runtime.h>
#include <torch/torch.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/message.h"
#include "functional/matrix_product.h"
#include "kernels/kernel_table.h"
#include "quantize/activation_rule.h"
#include "quantize/row_loop.h"
#include "quantize/weight_rule.h"

namespace bitnet::train {
namespace {

// ---- Tensor operations: any type, any device ----

torch::Tensor round_as(Rounding rounding, const torch::Tensor& x) {
  if (rounding == Rounding::half_to_even) {
    return torch::round(x);
  }
  // x - trunc(x) is exact, where x + 1/2 might round up to the next integer.
  const torch::Tensor whole = torch::trunc(x);
  return whole + torch::sign(x) * ((x - whole).abs() >= 0.5).to(x.scalar_type());
}

/// clamp(round(x / scale), low, high) scale, by the rule of `config`; `magnitude` broadcasts over
/// x.
torch::Tensor quantized(const torch::Tensor& x, const torch::Tensor& magnitude, double low,
                        double high, double qmax, const BitNetConfig& config) {
  const torch::Tensor floored =
      config.magnitude_floor > 0 ? magnitude.clamp_min(config.magnitude_floor) : magnitude;
  const torch::Tensor most = torch::full_like(floored, qmax);
  if (config.scaling == Scaling::multiply) {
    const torch::Tensor usable = torch::where(floored == 0, most, floored);
    const torch::Tensor inverse =
        most / usable;  // two tensors: torch divides a number in two steps
    return round_as(config.rounding, x * inverse).clamp(low, high) / inverse;
  }
  const torch::Tensor scale = torch::where(floored == 0, torch::ones_like(floored), floored / most);
  return round_as(config.rounding, x / scale).clamp(low, high) * scale;
}

torch::Tensor mixed(const torch::Tensor& x, const torch::Tensor& quantized, double lambda) {
  return lambda == 1 ? quantized : torch::lerp(x, quantized, lambda);
}

// ---- Float32 on the CPU: the library's kernels ----

/// out = row + lambda (out - row)
void mix_row(const float* row, std::int64_t n, float lambda, float* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = row[i] + lambda * (out[i] - row[i]);
  }
}

void activation_rows(const torch::Tensor& x, const BitNetConfig& config, float lambda,
                     torch::Tensor& out) {
  const std::int64_t columns = x.size(-1);
  const TensorView view = view_of(x);
  const kernels::KernelTable& kernels = Runtime::serial().kernels();
  const auto absmax_of = [&](std::int64_t row) {
    const auto* values = static_cast<const float*>(view.row(row));
    const std::uint32_t bits = kernels.absmax_bits(values, columns);
    if (bits >= kNonFiniteBits) {
      throw_if_non_finite("activations", values, columns, row);
    }
    return std::bit_cast<float>(bits);
  };
  float of_tensor = 0;
  if (!config.per_token_activation) {
    for (std::size_t row = 0; row < view.rows(); ++row) {
      of_tensor = std::max(of_tensor, absmax_of(row));
    }
  }
  float* const results = out.data_ptr<float>();
  at::parallel_for(0, view.rows(), 16, [&](std::int64_t first, std::int64_t last) {
    std::vector<std::int8_t> codes(columns);
    for (std::int64_t row = first; row < last; ++row) {
      const float absmax = config.per_token_activation ? absmax_of(row) : of_tensor;
      const ActivationRule rule = activation_rule(absmax, config);
      const auto* values = static_cast<const float*>(view.row(row));
      float* const result = results + row * columns;
      kernels.quantize(values, columns, rule.code, 0, codes.data());
      kernels.dequantize(codes.data(), columns, rule.scale, result);
      if (lambda != 1) {
        mix_row(values, columns, lambda, result);
      }
    }
  });
}

void weight_parts(const torch::Tensor& w, const BitNetConfig& config, float lambda,
                  torch::Tensor& out) {
  const std::int64_t rows = w.size(0);
  const std::int64_t columns = w.size(1);
  const kernels::KernelTable& kernels = Runtime::serial().kernels();
  const float* const weights = w.data_ptr<float>();
  float* const results = out.data_ptr<float>();
  std::vector<double> sums(rows);
  const auto checked_sum = [&](const float* values, std::int64_t n, std::int64_t row) {
    const double sum = kernels.sum_abs(values, n, 0);
    if (!std::isfinite(sum)) {
      throw_if_non_finite("weight", weights + row * columns, columns, row);
    }
    return sum;
  };
  float tensor_scale = 0;
  if (config.weight_granularity == Granularity::tensor) {
    at::parallel_for(0, rows, 16, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t row = first; row < last; ++row) {
        sums[row] = checked_sum(weights + row * columns, columns, row);
      }
    });
    double total = 0;  // row by row, as quantize_weights adds
    for (const double sum : sums) {
      total += sum;
    }
    tensor_scale = weight_scale(total, rows * columns, config);
  }
  const std::int64_t part = config.weight_granularity == Granularity::group
                                ? static_cast<std::int64_t>(config.group_size)
                                : columns;
  at::parallel_for(0, rows, 16, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t at = first * columns; at < last * columns; at += part) {
      const float* const values = weights + at;
      const float scale = tensor_scale != 0
                              ? tensor_scale
                              : weight_scale(checked_sum(values, part, at / columns), part, config);
      const float threshold = ternary_threshold(scale, config);
      for (std::int64_t i = 0; i < part; ++i) {
        const float w_hat = values[i] >= threshold ? scale : values[i] <= -threshold ? -scale : 0;
        results[at + i] = lambda == 1 ? w_hat : values[i] + lambda * (w_hat - values[i]);
      }
    }
  });
}

void check_weights(const torch::Tensor& w, const BitNetConfig& config) {
  if (w.dim() != 2 || w.numel() == 0) {
    throw ShapeMismatch(message("weight: expected 2 dimensions and not empty, found ", w.dim(),
                                " and ", w.numel(), " numbers"));
  }
  if (config.weight_granularity == Granularity::group &&
      w.size(1) % static_cast<std::int64_t>(config.group_size) != 0) {
    throw ShapeMismatch(message("weight: expected in_features divisible by group_size ",
                                config.group_size, ", found ", w.size(1)));
  }
}

}  // namespace

TensorView view_of(const torch::Tensor& x) {
  const auto columns = static_cast<std::size_t>(x.size(-1));
  const auto rows = columns == 0 ? 0 : static_cast<std::size_t>(x.numel()) / columns;
  return TensorView(x.data_ptr<float>(), Shape{rows, columns});
}

torch::Tensor fake_quantize_activations(const torch::Tensor& x, const BitNetConfig& config,
                                        double lambda) {
  config.validate();
  if (lambda == 0 || x.numel() == 0) {
    return x;
  }
  const torch::NoGradGuard no_grad;
  if (runs_fused(x)) {
    const torch::Tensor input = x.contiguous();
    torch::Tensor out = torch::empty_like(input);
    activation_rows(input, config, static_cast<float>(lambda), out);
    return out;
  }
  const torch::Tensor magnitude =
      config.per_token_activation ? x.abs().amax(-1, true) : x.abs().amax();
  const double qmax = config.qmax();
  return mixed(x, quantized(x, magnitude, -qmax, qmax, qmax, config), lambda);
}

torch::Tensor fake_quantize_weights(const torch::Tensor& w, const BitNetConfig& config,
                                    double lambda) {
  config.validate();
  check_weights(w, config);
  if (lambda == 0) {
    return w;
  }
  const torch::NoGradGuard no_grad;
  if (runs_fused(w)) {
    const torch::Tensor input = w.contiguous();
    torch::Tensor out = torch::empty_like(input);
    weight_parts(input, config, static_cast<float>(lambda), out);
    return out;
  }
  switch (config.weight_granularity) {
    case Granularity::tensor:
      return mixed(w, quantized(w, w.abs().mean(), -1, 1, 1, config), lambda);
    case Granularity::row:
      return mixed(w, quantized(w, w.abs().mean(1, true), -1, 1, 1, config), lambda);
    case Granularity::group:
      break;
  }
  const torch::Tensor grouped =
      w.reshape({w.size(0), -1, static_cast<std::int64_t>(config.group_size)});
  const torch::Tensor result = quantized(grouped, grouped.abs().mean(2, true), -1, 1, 1, config);
  return mixed(w, result.reshape(w.sizes()), lambda);
}

}  // namespace bitnet::train
