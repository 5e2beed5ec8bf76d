// SPDX-License-Identifier: MIT
#include "model/projection_reader.h"

#include <bitnet/config.h>
#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <vector>

#include "base/aligned_vector.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "quantize/weight_rule.h"

namespace bitnet {
namespace {

constexpr std::uint32_t kInfinityBits = 0x7f800000;

/// One row of an F32, F16 or BF16 matrix as floats [columns].
void load_row(const StoredTensor& tensor, std::size_t row, const Runtime& runtime, float* out) {
  const std::size_t columns = tensor.shape.columns();
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

class MasterReader : public ProjectionReader {
 public:
  MasterReader(const Checkpoint& checkpoint, const StoredTensor& weight, const Runtime& runtime,
               const BytesRead& on_read)
      : weight_(weight), runtime_(runtime) {
    const std::size_t rows = weight.shape.rows();
    std::vector<RowMeasure> measures(rows);
    AlignedVector<float> scratch;
    for_each_row_block(rows, columns(), [&](std::size_t first, std::size_t count) {
      scratch.resize(count * columns());
      parallel_rows(runtime, count, [&](std::size_t i) {
        measures[first + i] = measure(first + i, scratch.data() + i * columns());
      });
      checkpoint.release(weight);
      on_read(count * (weight.bytes.size() / rows));
    });
    choose_rule(measures);
  }

  SquareSums read_row(std::size_t row, float* scratch, std::int8_t* trits) const override {
    load_row(weight_, row, runtime_, scratch);
    runtime_.kernels().ternarize(scratch, columns(), threshold_,
                                 reinterpret_cast<std::uint8_t*>(trits));
    for (std::size_t k = 0; k < columns(); ++k) {
      --trits[k];  // the kernel's digit is the trit + 1
    }
    if (was_ternary()) {
      return {};
    }
    float* const approximations = scratch + columns();
    runtime_.kernels().dequantize(trits, columns(), scale(), approximations);
    return square_sums(scratch, approximations, columns());
  }

 private:
  struct RowMeasure {
    double sum_abs;
    std::uint32_t absmax_bits;
    bool one_magnitude;  // every element is 0 or ± the row's largest
  };

  std::size_t columns() const { return weight_.shape.columns(); }

  RowMeasure measure(std::size_t row, float* scratch) const {
    load_row(weight_, row, runtime_, scratch);
    const float* const end = scratch + columns();
    const std::uint32_t absmax_bits = runtime_.kernels().absmax_bits(scratch, columns());
    if (absmax_bits >= kInfinityBits) {
      const float* const bad =
          std::find_if(scratch, scratch + columns(), [](float w) { return !std::isfinite(w); });
      throw NonFiniteError("tensor " + weight_.name, row, static_cast<std::size_t>(bad - scratch),
                           *bad);
    }
    const auto largest = std::bit_cast<float>(absmax_bits);
    const bool one_magnitude = std::all_of<const float*>(
        scratch, end, [&](float w) { return w == 0.0F || std::abs(w) == largest; });
    return {runtime_.kernels().sum_abs(scratch, columns()), absmax_bits, one_magnitude};
  }

  void choose_rule(const std::vector<RowMeasure>& measures) {
    double sum_abs = 0;
    std::uint32_t absmax_bits = 0;
    for (const RowMeasure& row : measures) {
      sum_abs += row.sum_abs;
      absmax_bits = std::max(absmax_bits, row.absmax_bits);
    }
    const auto fits = [&](const RowMeasure& row) {
      return row.one_magnitude && (row.absmax_bits == 0 || row.absmax_bits == absmax_bits);
    };
    was_ternary_ = absmax_bits != 0 && std::all_of(measures.begin(), measures.end(), fits);
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
  float threshold_ = 0;
};

class PackedReader : public ProjectionReader {
 public:
  PackedReader(const StoredTensor& weight, std::size_t rows, float scale)
      : weight_(weight), rows_(rows) {
    scale_ = scale;
    was_ternary_ = true;
  }

  SquareSums read_row(std::size_t row, float* /*scratch*/, std::int8_t* trits) const override {
    decode_hf_packed(weight_, rows_, row, 1, {trits, weight_.shape.columns()});
    return {};
  }

 private:
  const StoredTensor& weight_;
  std::size_t rows_;
};

}  // namespace

SquareSums& SquareSums::operator+=(const SquareSums& other) {
  weights += other.weights;
  errors += other.errors;
  return *this;
}

double SquareSums::sqnr_db() const {
  return errors == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(weights / errors);
}

SquareSums square_sums(const float* weights, const float* approximations, std::size_t n) {
  // Eight independent lanes let the compiler use vectors without reordering any addition.
  constexpr std::size_t kLanes = 8;
  std::array<SquareSums, kLanes> lanes{};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double weight = weights[i];
    const double error = weight - approximations[i];
    lanes[lane] += {weight * weight, error * error};
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
  SquareSums sums;
  for (const SquareSums& lane : lanes) {
    sums += lane;
  }
  return sums;
}

std::unique_ptr<ProjectionReader> open_masters(const Checkpoint& checkpoint,
                                               const StoredTensor& weight, const Runtime& runtime,
                                               const BytesRead& on_read) {
  return std::make_unique<MasterReader>(checkpoint, weight, runtime, on_read);
}

std::unique_ptr<ProjectionReader> open_packed(const StoredTensor& weight, std::size_t rows,
                                              const StoredTensor& weight_scale,
                                              HfScaleMeaning meaning) {
  return std::make_unique<PackedReader>(weight, rows, read_hf_scale(weight_scale, meaning));
}

void for_each_row_block(std::size_t rows, std::size_t columns,
                        const std::function<void(std::size_t first, std::size_t count)>& body) {
  constexpr std::size_t kBlockNumbers = std::size_t{1} << 20;
  const std::size_t block = std::max<std::size_t>(1, kBlockNumbers / columns);
  for (std::size_t first = 0; first < rows; first += block) {
    body(first, std::min(block, rows - first));
  }
}

void parallel_rows(const Runtime& runtime, std::size_t count,
                   const std::function<void(std::size_t)>& body) {
  std::vector<std::exception_ptr> errors(count);
  runtime.pool().parallel_for(count, [&](std::size_t i) {
    try {
      body(i);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

}  // namespace bitnet
