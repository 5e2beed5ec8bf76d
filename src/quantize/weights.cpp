// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/quantize.h>

#include <algorithm>
#include <atomic>

#include "base/message.h"
#include "kernels/kernel_table.h"
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

/// Σ|w| of each of the scale's parts of each row: [rows, parts]. Throws NonFiniteError.
std::vector<double> sums_of_magnitudes(const TensorView& w, std::size_t parts,
                                       const Runtime& runtime) {
  const kernels::KernelTable& kernels = runtime.kernels();
  const std::size_t part_columns = w.columns() / parts;
  std::vector<double> sums(w.rows() * parts);
  const std::size_t bad = first_bad_row(w.rows(), w.columns(), runtime, [&](std::size_t row) {
    const float* values = float_row(w, row, row_scratch(), kernels);
    for (std::size_t part = 0; part < parts; ++part) {
      sums[row * parts + part] = kernels.sum_abs(values + part * part_columns, part_columns);
    }
    return kernels.absmax_bits(values, w.columns()) < kNonFiniteBits;
  });
  if (bad != w.rows()) {
    throw_if_non_finite("weight", float_row(w, bad, row_scratch(), kernels), w.columns(), bad);
  }
  return sums;
}

/// Scales [1], [N] or [N, groups].
std::vector<float> absmean_scales(const TensorView& w, std::size_t groups,
                                  const BitNetConfig& config, const Runtime& runtime) {
  const std::vector<double> sums = sums_of_magnitudes(w, groups, runtime);
  if (config.weight_granularity == Granularity::tensor) {
    double total = 0.0;
    for (const double sum : sums) {
      total += sum;
    }
    return {weight_scale(total, w.shape().numel(), config)};
  }
  std::vector<float> scales(sums.size());
  std::transform(sums.begin(), sums.end(), scales.begin(),
                 [&](double sum) { return weight_scale(sum, w.columns() / groups, config); });
  return scales;
}

/// Digits of one row, each group by its own threshold; returns the number of zeros.
std::size_t ternarize_row(const float* values, std::size_t columns,
                          std::span<const float> thresholds, const kernels::KernelTable& kernels,
                          std::uint8_t* digits) {
  const std::size_t part = columns / thresholds.size();
  std::size_t zeros = 0;
  for (std::size_t group = 0; group < thresholds.size(); ++group) {
    zeros +=
        kernels.ternarize(values + group * part, part, thresholds[group], digits + group * part);
  }
  return zeros;
}

}  // namespace

TernaryWeight quantize_weights(const TensorView& w, const BitNetConfig& config,
                               const Runtime& runtime) {
  config.validate();
  check_shape(w, config);
  const bool grouped = config.weight_granularity == Granularity::group;
  const std::size_t groups = grouped ? w.columns() / config.group_size : 1;
  const kernels::KernelTable& kernels = runtime.kernels();
  TernaryWeightBuilder builder(w.rows(), w.columns(), config.weight_granularity,
                               grouped ? config.group_size : 0, std::nullopt);

  const std::vector<float> scales = absmean_scales(w, groups, config, runtime);
  std::vector<float> thresholds(scales.size());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    builder.set_scale(i / groups, i % groups, scales[i]);
    thresholds[i] = ternary_threshold(scales[i], config);
  }

  const auto pack = builder.layout() == TileLayout::t16 ? kernels.pack_t16 : kernels.pack_t2;
  const std::size_t columns = builder.steps() * step_inputs(builder.layout());
  std::atomic<std::size_t> zeros = 0;
  runtime.pool().parallel_for(builder.panels(), [&](std::size_t panel) {
    thread_local AlignedVector<std::uint8_t> digits;  // one panel [32, columns]
    digits.resize(kPanelRows * columns);
    std::fill(digits.begin(), digits.end(), std::uint8_t{1});
    const std::size_t first = panel * kPanelRows;
    const std::size_t last = std::min(first + kPanelRows, w.rows());
    std::size_t panel_zeros = 0;
    for (std::size_t row = first; row < last; ++row) {
      const std::size_t scale_row = config.weight_granularity == Granularity::tensor ? 0 : row;
      panel_zeros += ternarize_row(float_row(w, row, row_scratch(), kernels), w.columns(),
                                   std::span(thresholds).subspan(scale_row * groups, groups),
                                   kernels, digits.data() + (row - first) * columns);
    }
    pack(digits.data(), columns, builder.steps(), builder.panel(panel));
    zeros += panel_zeros;
  });
  return builder.finish(zeros);
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
