// SPDX-License-Identifier: MIT
#include <ATen/Parallel.h>
#include <bitnet/quantize.h>
#include <bitnet/train/functional.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "functional/fake_quantize.h"
#include "functional/matrix_product.h"
#include "kernels/kernel_table.h"

namespace bitnet::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

torch::Tensor norm_in_tensor_operations(const torch::Tensor& x, const torch::Tensor& gain,
                                        double eps) {
  const torch::Tensor normed = x * torch::rsqrt(x.square().mean(-1, true) + eps);
  return gain.defined() ? normed * gain : normed;
}

/// With r = 1 / sqrt(mean(x²) + eps) and g = dy ⊙ gain:
///   dx = r (g - x r² mean(g ⊙ x)),   dgain = Σ_t dy ⊙ x r.
/// Adds dgain of this row to gain_gradient unless that is null; gain null: ones.
void backward_row(const float* x, const float* dy, const float* gain, std::int64_t n, float eps,
                  float* dx, float* gain_gradient) {
  for (std::int64_t i = 0; i < n; ++i) {
    dx[i] = gain == nullptr ? dy[i] : dy[i] * gain[i];
  }
  float squares = 0;
  float products = 0;
#pragma omp simd reduction(+ : squares, products)
  for (std::int64_t i = 0; i < n; ++i) {
    squares += x[i] * x[i];
    products += dx[i] * x[i];
  }
  const float r = 1 / std::sqrt(squares / static_cast<float>(n) + eps);
  const float pull = r * r * r * products / static_cast<float>(n);
  for (std::int64_t i = 0; i < n; ++i) {
    dx[i] = r * dx[i] - x[i] * pull;
  }
  if (gain_gradient != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) {
      gain_gradient[i] += dy[i] * x[i] * r;
    }
  }
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  /// `gain_or_none`: a Function takes no undefined tensor.
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& input,
                               at::TensorList gain_or_none, double eps) {
    const torch::Tensor gain =
        gain_or_none.empty() ? torch::Tensor() : gain_or_none[0].contiguous();
    const torch::Tensor x = input.contiguous();
    torch::Tensor out = torch::empty_like(x);
    const TensorView rows = view_of(x);
    const std::int64_t columns = x.size(-1);
    const std::span<const float> gains =
        gain.defined() ? std::span<const float>(gain.data_ptr<float>(), columns)
                       : std::span<const float>();
    at::parallel_for(0, rows.rows(), 64, [&](std::int64_t first, std::int64_t last) {
      const auto count = static_cast<std::size_t>(last - first);
      bitnet::rms_norm(TensorView(static_cast<const float*>(rows.row(first)),
                                  Shape{count, static_cast<std::size_t>(columns)}),
                       gains, static_cast<float>(eps),
                       std::span(out.data_ptr<float>() + first * columns, count * columns));
    });
    context->save_for_backward({x, gain});
    context->saved_data["eps"] = eps;
    context->saved_data["learns_gain"] = !gain_or_none.empty() && gain_or_none[0].requires_grad();
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor& gain = saved[1];
    const torch::Tensor dy = output_gradients[0].contiguous();
    const auto eps = static_cast<float>(context->saved_data["eps"].toDouble());
    const std::int64_t columns = x.size(-1);
    const bool learns_gain = context->saved_data["learns_gain"].toBool();
    torch::Tensor dx = torch::empty_like(x);
    // One sum for each block of rows, added in their order: the same for any number of threads.
    constexpr std::int64_t kBlock = 256;
    const std::int64_t rows = x.numel() / columns;
    const std::int64_t blocks = (rows + kBlock - 1) / kBlock;
    torch::Tensor gain_gradients = torch::zeros({learns_gain ? blocks : 0, columns}, x.options());
    const float* const gains = gain.defined() ? gain.data_ptr<float>() : nullptr;
    at::parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t row = first * kBlock; row < std::min(last * kBlock, rows); ++row) {
        float* const sum =
            learns_gain ? gain_gradients.data_ptr<float>() + (row / kBlock) * columns : nullptr;
        backward_row(x.data_ptr<float>() + row * columns, dy.data_ptr<float>() + row * columns,
                     gains, columns, eps, dx.data_ptr<float>() + row * columns, sum);
      }
    });
    variable_list results = {dx};
    if (gain.defined()) {
      results.push_back(learns_gain ? gain_gradients.sum(0) : torch::Tensor());
    }
    results.emplace_back();  // eps
    return results;
  }
};

}  // namespace

torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& gain, double eps) {
  if (!runs_fused(x)) {
    return norm_in_tensor_operations(x, gain, eps);
  }
  return RmsNorm::apply(x, gain.defined() ? at::TensorList(gain) : at::TensorList(), eps);
}

}  // namespace bitnet::train
