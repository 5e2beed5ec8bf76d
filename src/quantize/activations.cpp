// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/quantize.h>

#include <algorithm>
#include <bit>

#include "base/message.h"
#include "kernels/kernel_table.h"
#include "quantize/activation_rule.h"
#include "quantize/row_loop.h"

namespace bitnet {
namespace {

void check_rank(const char* what, const Shape& shape) {
  if (shape.rank() != 2 && shape.rank() != 3) {
    throw ShapeMismatch(
        message(what, ": activations must be 2D or 3D, found shape ", shape.to_string()));
  }
}

void prepare(const TensorView& x, const BitNetConfig& config, QuantizedActivations& out) {
  config.validate();
  check_rank("quantize_activations", x.shape());
  out.shape = x.shape();
  out.per_token = config.per_token_activation;
  out.data.resize(x.rows() * x.columns());
  out.scales.resize(out.per_token ? x.rows() : 1);
}

[[noreturn]] void throw_bad_row(const TensorView& x, std::size_t row, const Runtime& runtime) {
  throw_if_non_finite("activations", float_row(x, row, row_scratch(), runtime.kernels()),
                      x.columns(), row);
  throw QuantizationError("activations changed while they were being quantized");
}

/// From a row to the next one, or as far as a prefetch must reach to be of use; 0 where it is of
/// none: beside the scratch that 16-bit rows are widened into, and in rows that fill a cache.
std::size_t row_prefetch(const TensorView& x) {
  constexpr std::size_t kLeastBytes = 4096;
  constexpr std::size_t kMostBytes = std::size_t{256} << 10;
  const std::size_t bytes = x.columns() * sizeof(float);
  const bool pays =
      x.dtype() == DType::f32 && bytes <= kMostBytes && kernels::next_row_prefetch_pays();
  return pays ? std::max(bytes, kLeastBytes) : 0;
}

// Each row is read from memory once: its absmax pass leaves it in cache for the pass that rounds.
void quantize_per_token(const TensorView& x, const BitNetConfig& config, QuantizedActivations& out,
                        const Runtime& runtime) {
  const kernels::KernelTable& kernels = runtime.kernels();
  const std::size_t columns = x.columns();
  const std::size_t prefetch = row_prefetch(x);
  const std::size_t bad = first_bad_row(x.rows(), columns, runtime, [&](std::size_t row) {
    const float* values = float_row(x, row, row_scratch(), kernels);
    const std::uint32_t absmax = kernels.absmax_bits(values, columns);
    if (absmax >= kNonFiniteBits) {
      return false;
    }
    const ActivationRule rule = activation_rule(std::bit_cast<float>(absmax), config);
    kernels.quantize(values, columns, rule.code, prefetch, out.data.data() + row * columns);
    out.scales[row] = rule.scale;
    return true;
  });
  if (bad != x.rows()) {
    throw_bad_row(x, bad, runtime);
  }
}

void quantize_per_tensor(const TensorView& x, const BitNetConfig& config, QuantizedActivations& out,
                         const Runtime& runtime) {
  const kernels::KernelTable& kernels = runtime.kernels();
  const std::size_t columns = x.columns();
  std::atomic<std::uint32_t> absmax = 0;
  const std::size_t bad = first_bad_row(x.rows(), columns, runtime, [&](std::size_t row) {
    const std::uint32_t row_absmax =
        kernels.absmax_bits(float_row(x, row, row_scratch(), kernels), columns);
    std::uint32_t seen = absmax.load(std::memory_order_relaxed);
    while (row_absmax > seen && !absmax.compare_exchange_weak(seen, row_absmax)) {
    }
    return row_absmax < kNonFiniteBits;
  });
  if (bad != x.rows()) {
    throw_bad_row(x, bad, runtime);
  }
  const ActivationRule rule = activation_rule(std::bit_cast<float>(absmax.load()), config);
  out.scales[0] = rule.scale;
  const std::size_t prefetch = row_prefetch(x);
  first_bad_row(x.rows(), columns, runtime, [&](std::size_t row) {
    kernels.quantize(float_row(x, row, row_scratch(), kernels), columns, rule.code, prefetch,
                     out.data.data() + row * columns);
    return true;
  });
}

}  // namespace

void quantize_activations(const TensorView& x, const BitNetConfig& config,
                          QuantizedActivations& out, const Runtime& runtime) {
  prepare(x, config, out);
  if (config.per_token_activation) {
    quantize_per_token(x, config, out, runtime);
  } else {
    quantize_per_tensor(x, config, out, runtime);
  }
}

QuantizedActivations quantize_activations(const TensorView& x, const BitNetConfig& config,
                                          const Runtime& runtime) {
  QuantizedActivations out;
  quantize_activations(x, config, out, runtime);
  return out;
}

Tensor dequantize_activations(const QuantizedActivations& q, const Runtime& runtime) {
  check_rank("dequantize_activations", q.shape);
  const std::size_t rows = q.tokens();
  const std::size_t columns = q.hidden_dim();
  if (q.data.size() != q.shape.numel() || q.scales.size() != (q.per_token ? rows : 1)) {
    throw ShapeMismatch(message("dequantize_activations: shape ", q.shape.to_string(), ", found ",
                                q.data.size(), " codes and ", q.scales.size(), " scales"));
  }
  Tensor result{std::vector<float>(q.data.size()), q.shape};
  first_bad_row(rows, columns, runtime, [&](std::size_t row) {
    runtime.kernels().dequantize(q.data.data() + row * columns, columns, q.scale(row),
                                 result.data.data() + row * columns);
    return true;
  });
  return result;
}

}  // namespace bitnet
