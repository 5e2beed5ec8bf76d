// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/quantize.h>

#include <bit>
#include <cmath>

#include "base/message.h"
#include "kernels/kernel_table.h"
#include "quantize/activation_rule.h"
#include "quantize/row_loop.h"

namespace bitnet {
namespace {

/// One norm over the rows of x; the fused and the plain function share it, so they agree in bits.
class RowNorm {
 public:
  RowNorm(const TensorView& x, std::span<const float> gain, float eps, const Runtime& runtime)
      : x_(x), gain_(gain), eps_(eps), runtime_(runtime) {
    if (x.shape().rank() != 2 && x.shape().rank() != 3) {
      throw ShapeMismatch(
          message("rms_norm: activations must be 2D or 3D, found shape ", x.shape().to_string()));
    }
    if (x.columns() == 0) {
      throw ShapeMismatch(
          message("rms_norm: expected at least one feature, found shape ", x.shape().to_string()));
    }
    if (!gain.empty() && gain.size() != x.columns()) {
      throw ShapeMismatch(
          message("rms_norm: expected a gain of ", x.columns(), " elements, found ", gain.size()));
    }
  }

  /// Writes the normalized row to out [K] and returns its absmax bits, kNonFiniteBits or more when
  /// the row cannot be normalized.
  std::uint32_t apply(std::size_t row, float* out) const {
    const kernels::KernelTable& kernels = runtime_.kernels();
    const float* values = float_row(x_, row, row_scratch(), kernels);
    const float mean_square =
        kernels.sum_squares(values, x_.columns()) / static_cast<float>(x_.columns());
    const float factor = 1.0F / std::sqrt(mean_square + eps_);
    const std::uint32_t absmax = kernels.normalize(values, x_.columns(), factor,
                                                   gain_.empty() ? nullptr : gain_.data(), out);
    // A zero factor means that the squares of finite numbers overflowed.
    return factor > 0.0F ? absmax : kNonFiniteBits;
  }

  [[noreturn]] void throw_bad_row(std::size_t row) const {
    throw_if_non_finite("activations", float_row(x_, row, row_scratch(), runtime_.kernels()),
                        x_.columns(), row);
    norm_scratch().resize(x_.columns());
    apply(row, norm_scratch().data());
    throw_if_non_finite("normalized activations", norm_scratch().data(), x_.columns(), row);
    throw QuantizationError(
        message("rms_norm: the mean square of row ", row, " exceeds the largest float"));
  }

 private:
  const TensorView& x_;
  std::span<const float> gain_;
  float eps_;
  const Runtime& runtime_;
};

}  // namespace

Tensor rms_norm(const TensorView& x, std::span<const float> gain, float eps,
                const Runtime& runtime) {
  Tensor result{std::vector<float>(x.shape().numel()), x.shape()};
  rms_norm(x, gain, eps, result.data, runtime);
  return result;
}

void rms_norm(const TensorView& x, std::span<const float> gain, float eps, std::span<float> out,
              const Runtime& runtime) {
  const RowNorm norm(x, gain, eps, runtime);
  if (out.size() != x.shape().numel()) {
    throw ShapeMismatch(message("rms_norm: expected an output of ", x.shape().numel(),
                                " elements, found ", out.size()));
  }
  const std::size_t bad = first_bad_row(x.rows(), x.columns(), runtime, [&](std::size_t row) {
    return norm.apply(row, out.data() + row * x.columns()) < kNonFiniteBits;
  });
  if (bad != x.rows()) {
    norm.throw_bad_row(bad);
  }
}

void rms_norm_quantize(const TensorView& x, std::span<const float> gain, const BitNetConfig& config,
                       QuantizedActivations& out, const Runtime& runtime) {
  config.validate();
  if (!config.per_token_activation) {  // the one scale needs every row's norm first
    quantize_activations(rms_norm(x, gain, config.eps, runtime).view(), config, out, runtime);
    return;
  }
  const RowNorm norm(x, gain, config.eps, runtime);
  const std::size_t columns = x.columns();
  out.shape = x.shape();
  out.per_token = true;
  out.data.resize(x.shape().numel());
  out.scales.resize(x.rows());
  const std::size_t bad = first_bad_row(x.rows(), columns, runtime, [&](std::size_t row) {
    AlignedVector<float>& normalized = norm_scratch();
    normalized.resize(columns);
    const std::uint32_t absmax = norm.apply(row, normalized.data());
    if (absmax >= kNonFiniteBits) {
      return false;
    }
    const ActivationRule rule = activation_rule(std::bit_cast<float>(absmax), config);
    runtime.kernels().quantize(normalized.data(), columns, rule.code, 0,
                               out.data.data() + row * columns);
    out.scales[row] = rule.scale;
    return true;
  });
  if (bad != x.rows()) {
    norm.throw_bad_row(bad);
  }
}

}  // namespace bitnet
