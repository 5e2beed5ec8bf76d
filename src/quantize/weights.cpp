// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/quantize.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "base/message.h"
#include "kernels/kernel_table.h"
#include "quantize/pack_rows.h"
#include "quantize/row_loop.h"
#include "quantize/weight_rule.h"
#include "ternary/ternary_storage.h"

namespace bitnet {
namespace {

void check_shape(const TensorView& w, const BitNetConfig& config) {
  if (w.shape().rank() != 2 || w.rows() == 0 || w.columns() == 0) {
    throw ShapeMismatch(message("quantize_weights: weight must be 2D and not empty, found shape ",
                                w.shape().to_string()));
  }
  if (config.weight_granularity == Granularity::group && w.columns() % config.group_size != 0) {
    throw ShapeMismatch(message("quantize_weights: expected in_features divisible by group_size ",
                                config.group_size, ", found ", w.columns()));
  }
}

/// One call of quantize_weights.
class WeightQuantizer {
 public:
  WeightQuantizer(const TensorView& w, const BitNetConfig& config, const Runtime& runtime)
      : w_(w),
        config_(config),
        runtime_(runtime),
        groups_(config.weight_granularity == Granularity::group ? w.columns() / config.group_size
                                                                : 1),
        builder_(w.rows(), w.columns(), config.weight_granularity,
                 config.weight_granularity == Granularity::group ? config.group_size : 0,
                 std::nullopt),
        prefetch_(w.dtype() == DType::f32 ? kernels::tile_prefetch() : 0) {}

  TernaryWeight run() {
    if (config_.weight_granularity == Granularity::tensor) {
      quantize_with_one_scale();
    } else {
      quantize_part_by_part();
    }
    return builder_.finish(zeros_);
  }

 private:
  const kernels::KernelTable& kernels() const { return runtime_.kernels(); }
  const float* values(std::size_t row) const {
    return float_row(w_, row, row_scratch(), kernels());
  }

  /// Fills every panel on all threads: digits_of_row(row, digits) -> zeros.
  template <class DigitsOfRow>
  void pack_panels(const DigitsOfRow& digits_of_row) {
    std::atomic<std::size_t> zeros = 0;
    runtime_.pool().parallel_for(builder_.panels(), [&](std::size_t panel) {
      zeros += pack_rows(builder_, panel, w_.rows(), w_.columns(), kernels(), digits_of_row);
    });
    zeros_ = zeros;
  }

  /// Throws NonFiniteError for the first bad weight of a row whose Σ|w| is not finite; sums of
  /// finite floats are, in double.
  void check_row(std::size_t row) const {
    throw_if_non_finite("weight", values(row), w_.columns(), row);
  }

  // A scale per row or group: each part is read once.
  void quantize_part_by_part() {
    const std::size_t part = w_.columns() / groups_;
    std::atomic<std::size_t> first_bad = w_.rows();
    pack_panels([&](std::size_t row, std::uint8_t* digits) {
      const float* const row_values = values(row);
      std::size_t zeros = 0;
      for (std::size_t group = 0; group < groups_; ++group) {
        const float* const part_values = row_values + group * part;
        const double sum = kernels().sum_abs(part_values, part, prefetch_);
        if (!std::isfinite(sum)) {
          note_bad_row(first_bad, row);
          return zeros;
        }
        const float scale = weight_scale(sum, part, config_);
        builder_.set_scale(row, group, scale);
        zeros += kernels().ternarize(part_values, part, ternary_threshold(scale, config_),
                                     digits + group * part);
      }
      return zeros;
    });
    if (first_bad != w_.rows()) {
      check_row(first_bad);
    }
  }

  // One scale needs all weights before the first trit: two passes over memory.
  void quantize_with_one_scale() {
    std::vector<double> sums(w_.rows());
    first_bad_row(w_.rows(), w_.columns(), runtime_, [&](std::size_t row) {
      sums[row] = kernels().sum_abs(values(row), w_.columns(), prefetch_);
      return true;
    });
    double total = 0.0;
    for (std::size_t row = 0; row < w_.rows(); ++row) {
      if (!std::isfinite(sums[row])) {
        check_row(row);
      }
      total += sums[row];
    }
    const float scale = weight_scale(total, w_.shape().numel(), config_);
    const float threshold = ternary_threshold(scale, config_);
    builder_.set_scale(0, 0, scale);
    pack_panels([&](std::size_t row, std::uint8_t* digits) {
      return kernels().ternarize(values(row), w_.columns(), threshold, digits);
    });
  }

  const TensorView& w_;
  const BitNetConfig& config_;
  const Runtime& runtime_;
  std::size_t groups_;
  TernaryWeightBuilder builder_;
  std::size_t prefetch_;  // none beside the scratch that 16-bit rows are widened into
  std::size_t zeros_ = 0;
};

}  // namespace

TernaryWeight quantize_weights(const TensorView& w, const BitNetConfig& config,
                               const Runtime& runtime) {
  config.validate();
  check_shape(w, config);
  return WeightQuantizer(w, config, runtime).run();
}

Tensor dequantize_weights(const TernaryWeight& w) {
  const std::vector<std::int8_t> trits = w.trits();
  const std::vector<float> scales = w.scales();
  Tensor result{std::vector<float>(trits.size()), Shape{w.out_features(), w.in_features()}};
  const std::size_t per_scale = trits.size() / scales.size();
  for (std::size_t i = 0; i < trits.size(); ++i) {
    result.data[i] = static_cast<float>(trits[i]) * scales[i / per_scale];
  }
  return result;
}

}  // namespace bitnet
