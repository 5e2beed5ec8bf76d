// SPDX-License-Identifier: MIT
#include "model/projection_reader.h"

#include <bitnet/config.h>
#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/aligned_vector.h"
#include "base/message.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "quantize/weight_rule.h"

namespace bitnet {
namespace {

constexpr std::uint32_t kInfinityBits = 0x7f800000;

/// Σ w² and Σ (w - scale * (digit - 1))² in double over eight lanes, whose order is fixed so that
/// every compiler may vectorize them and none may reorder them.
void add_errors(const float* w, const std::uint8_t* digits, std::size_t n, float scale,
                RowSummary& summary) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> squares{};
  std::array<double, kLanes> errors{};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double value = w[i];
    const double error = value - static_cast<double>(scale) * (digits[i] - 1);
    squares[lane] += value * value;
    errors[lane] += error * error;
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      add(i + lane, lane);
    }
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) {
    add(i + lane, lane);
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    summary.squares += squares[lane];
    summary.squared_errors += errors[lane];
  }
}

class MasterReader : public ProjectionReader {
 public:
  MasterReader(const Checkpoint& checkpoint, const StoredTensor& weight, const Runtime& runtime,
               const BytesRead& on_read)
      : weight_(weight), runtime_(runtime) {
    const std::size_t rows = weight.shape.rows();
    measures_.resize(rows);
    AlignedVector<float> scratch;
    for_each_row_block(rows, columns(), [&](std::size_t first, std::size_t count) {
      scratch.resize(count * columns());
      runtime.pool().parallel_for(count, [&](std::size_t i) {
        float* const row = scratch.data() + i * columns();
        load_row(weight, first + i, runtime, row);
        measures_[first + i] = measure(row);
      });
      require_finite(scratch, first, count);
      checkpoint.release(weight);
      on_read(count * (weight.bytes.size() / rows));
    });
    choose_rule();
    measures_ = {};
  }

  RowSummary read_row(std::size_t row, float* scratch, std::uint8_t* digits) const override {
    load_row(weight_, row, runtime_, scratch);
    runtime_.kernels().ternarize(scratch, columns(), threshold_, digits);
    RowSummary summary;
    summary.zeros = static_cast<std::size_t>(std::count(digits, digits + columns(), 1));
    add_errors(scratch, digits, columns(), scale(), summary);
    return summary;
  }

 private:
  struct RowMeasure {
    double sum_abs;
    std::uint32_t absmax_bits;
    bool one_magnitude;  // every element is 0 or ± the row's largest
  };

  std::size_t columns() const { return weight_.shape.columns(); }

  RowMeasure measure(const float* row) const {
    const std::uint32_t absmax_bits = runtime_.kernels().absmax_bits(row, columns());
    const float largest = std::bit_cast<float>(absmax_bits);
    const bool one_magnitude = std::all_of(
        row, row + columns(), [&](float w) { return w == 0.0F || std::abs(w) == largest; });
    return {runtime_.kernels().sum_abs(row, columns()), absmax_bits, one_magnitude};
  }

  void require_finite(const AlignedVector<float>& block, std::size_t first,
                      std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (measures_[first + i].absmax_bits >= kInfinityBits) {
        const float* const row = block.data() + i * columns();
        const float* const bad =
            std::find_if(row, row + columns(), [](float w) { return !std::isfinite(w); });
        throw NonFiniteError("tensor " + weight_.name, first + i,
                             static_cast<std::size_t>(bad - row), *bad);
      }
    }
  }

  void choose_rule() {
    double sum_abs = 0;
    std::uint32_t absmax_bits = 0;
    for (const RowMeasure& row : measures_) {
      sum_abs += row.sum_abs;
      absmax_bits = std::max(absmax_bits, row.absmax_bits);
    }
    was_ternary_ =
        absmax_bits != 0 &&
        std::all_of(measures_.begin(), measures_.end(), [&](const RowMeasure& row) {
          return row.one_magnitude && (row.absmax_bits == 0 || row.absmax_bits == absmax_bits);
        });
    if (was_ternary_) {
      scale_ = std::bit_cast<float>(absmax_bits);
      threshold_ = scale_;
    } else {
      const BitNetConfig config = BitNetConfig::b158();
      scale_ = weight_scale(sum_abs, weight_.shape.numel(), config);
      threshold_ = ternary_threshold(scale_, config);
    }
  }

  const StoredTensor& weight_;
  const Runtime& runtime_;
  std::vector<RowMeasure> measures_;
  float threshold_ = 0;
};

class PackedReader : public ProjectionReader {
 public:
  PackedReader(const StoredTensor& weight, std::size_t rows, float scale)
      : weight_(weight), strip_rows_((rows + 3) / 4) {
    scale_ = scale;
    was_ternary_ = true;
  }

  RowSummary read_row(std::size_t row, float* /*scratch*/, std::uint8_t* digits) const override {
    const std::size_t columns = weight_.shape.columns();
    const std::byte* const bytes = weight_.bytes.data() + row % strip_rows_ * columns;
    const std::size_t shift = 2 * (row / strip_rows_);
    RowSummary summary;
    for (std::size_t k = 0; k < columns; ++k) {
      digits[k] = static_cast<std::uint8_t>(bytes[k] >> shift) & 3;
      summary.zeros += digits[k] == 1 ? 1 : 0;
    }
    const std::uint8_t* const bad = std::find(digits, digits + columns, 3);
    if (bad != digits + columns) {
      summary.bad_column = static_cast<std::size_t>(bad - digits);
    }
    return summary;
  }

 private:
  const StoredTensor& weight_;
  std::size_t strip_rows_;
};

}  // namespace

std::unique_ptr<ProjectionReader> open_masters(const Checkpoint& checkpoint,
                                               const StoredTensor& weight, const Runtime& runtime,
                                               const BytesRead& on_read) {
  require_float(weight);
  return std::make_unique<MasterReader>(checkpoint, weight, runtime, on_read);
}

std::unique_ptr<ProjectionReader> open_packed(const StoredTensor& weight, std::size_t rows,
                                              const StoredTensor& weight_scale,
                                              const std::optional<QuantizationConfig>& config) {
  require_float(weight_scale);
  if (weight_scale.shape.numel() != 1) {
    throw ShapeMismatch(message("tensor ", weight_scale.name, ": expected one number, found shape ",
                                weight_scale.shape.to_string()));
  }
  const std::string linear_class = config.value_or(QuantizationConfig{}).linear_class;
  if (linear_class != "bitlinear" && linear_class != "autobitlinear") {
    throw UnsupportedError(
        message("config.json: key \"quantization_config.linear_class\": expected bitlinear or "
                "autobitlinear, found ",
                linear_class));
  }
  float stored = 0;
  load_row(weight_scale, 0, Runtime::serial(), &stored);
  const float scale = linear_class == "bitlinear" ? 1.0F / stored : stored;
  if (!(scale > 0) || !std::isfinite(scale)) {
    throw QuantizationError(message("tensor ", weight_scale.name,
                                    ": expected a positive, finite scale, found ", stored));
  }
  return std::make_unique<PackedReader>(weight, rows, scale);
}

void require_float(const StoredTensor& tensor) {
  if (tensor.encoding != Encoding::f32 && tensor.encoding != Encoding::f16 &&
      tensor.encoding != Encoding::bf16) {
    throw UnsupportedError(
        message("tensor ", tensor.name, ": expected F32, F16 or BF16, found ", tensor.type_name));
  }
}

void load_row(const StoredTensor& tensor, std::size_t row, const Runtime& runtime, float* out) {
  const std::size_t columns = tensor.shape.rank() == 0 ? 1 : tensor.shape.columns();
  if (tensor.encoding == Encoding::f32) {
    std::memcpy(out, tensor.bytes.data() + row * columns * sizeof(float), columns * sizeof(float));
    return;
  }
  // Through an aligned chunk: a tensor may begin at any byte of its file.
  std::array<std::uint16_t, 1024> chunk;
  const std::byte* const bytes = tensor.bytes.data() + row * columns * sizeof(std::uint16_t);
  for (std::size_t k = 0; k < columns; k += chunk.size()) {
    const std::size_t n = std::min(chunk.size(), columns - k);
    std::memcpy(chunk.data(), bytes + k * sizeof(std::uint16_t), n * sizeof(std::uint16_t));
    if (tensor.encoding == Encoding::f16) {
      runtime.kernels().f16_to_f32(chunk.data(), out + k, n);
    } else {
      runtime.kernels().bf16_to_f32(chunk.data(), out + k, n);
    }
  }
}

void for_each_row_block(std::size_t rows, std::size_t columns,
                        const std::function<void(std::size_t first, std::size_t count)>& body) {
  constexpr std::size_t kBlockFloats = std::size_t{1} << 20;
  const std::size_t block =
      std::max<std::size_t>(1, kBlockFloats / std::max<std::size_t>(1, columns));
  for (std::size_t first = 0; first < rows; first += block) {
    body(first, std::min(block, rows - first));
  }
}

}  // namespace bitnet
