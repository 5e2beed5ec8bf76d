// SPDX-License-Identifier: MIT
#include "model/projection_reader.h"

#include <bitnet/config.h>
#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "base/aligned_vector.h"
#include "base/message.h"
#include "formats/ternary_encodings.h"
#include "kernels/kernel_table.h"
#include "model/row_blocks.h"
#include "quantize/weight_rule.h"

namespace bitnet {
namespace {

constexpr std::uint32_t kInfinityBits = 0x7f800000;

/// Where the row that Hugging Face numbers `row` lies.
std::size_t stored_row(const ModelSource& source, const SourceWeight& weight, std::size_t row) {
  return weight.rows_are_permuted ? query_key_permuted_row(row, source.config().head_dim) : row;
}

/// What a GGUF file's X.scale says, 1 without one.
float scale_factor(const SourceWeight& weight) {
  if (weight.hf_packed || weight.scale_tensor == nullptr) {
    return 1;
  }
  const StoredTensor& tensor = *weight.scale_tensor;
  float factor = 0;
  if (tensor.shape.numel() == 1) {
    decode_to_float(tensor, 0, 1, {&factor, 1});
  }
  if (!(factor > 0) || !std::isfinite(factor)) {
    throw QuantizationError(message(tensor.file.string(), ": tensor '", tensor.name,
                                    "': expected one positive finite number, found ", factor,
                                    " in shape ", tensor.shape.to_string()));
  }
  return factor;
}

/// Counted in bytes, as many lanes as registers have; std::count widens each element.
std::size_t count_zeros(std::span<const std::int8_t> trits) {
  constexpr std::size_t kMost = 255;  // that a byte counts
  std::size_t zeros = 0;
  for (std::size_t first = 0; first < trits.size(); first += kMost) {
    std::uint8_t count = 0;
    for (const std::int8_t trit : trits.subspan(first, std::min(kMost, trits.size() - first))) {
      count = static_cast<std::uint8_t>(count + (trit == 0 ? 1 : 0));
    }
    zeros += count;
  }
  return zeros;
}

/// Floats, ternarized by absmean unless they are {-s, 0, s} already.
class MasterReader : public ProjectionReader {
 public:
  MasterReader(const ModelSource& source, const SourceWeight& weight, const Runtime& runtime,
               const BytesRead& on_read)
      : source_(source), weight_(weight), runtime_(runtime), factor_(scale_factor(weight)) {
    const StoredTensor& tensor = weight.tensor;
    const std::size_t rows = weight.name.rows;
    std::vector<RowMeasure> measures(rows);
    AlignedVector<float> scratch;
    for_each_row_block(rows, columns(), [&](std::size_t first, std::size_t count) {
      scratch.resize(count * columns());
      parallel_rows(runtime, count, [&](std::size_t i) {
        measures[first + i] = measure(first + i, scratch.data() + i * columns());
      });
      source.checkpoint().release(tensor);
      on_read(count * (tensor.bytes.size() / rows));
    });
    choose_rule(measures);
    if (!weight.updates.empty()) {
      keep_scale_of_trits();
    } else if (is_ternary_type(tensor.encoding) && !was_ternary_ && !all_zero_) {
      throw UnsupportedError(message("tensor ", tensor.name,
                                     ": expected one scale for the whole matrix, found blocks of ",
                                     "different scales, which cannot be kept"));
    }
  }

  std::size_t read_row(std::size_t row, float* weights, std::int8_t* trits) const override {
    const std::size_t n = columns();
    load(row, weights);
    const std::size_t zeros = runtime_.kernels().ternarize(weights, n, threshold_,
                                                           reinterpret_cast<std::uint8_t*>(trits));
    std::transform(trits, trits + n, trits,
                   [](std::int8_t digit) { return static_cast<std::int8_t>(digit - 1); });
    return zeros;
  }

 private:
  struct RowMeasure {
    double sum_abs;
    std::uint32_t absmax_bits;
    bool one_magnitude;  // every element is 0 or ± the row's largest
  };

  std::size_t columns() const { return weight_.name.columns; }

  void load(std::size_t row, float* out) const {
    if (!weight_.updates.empty()) {
      read_float_row(source_, weight_, runtime_, row, {out, columns()});
      return;
    }
    load_stored_row(weight_.tensor, stored_row(source_, weight_, row), runtime_, out);
    if (factor_ != 1) {
      std::transform(out, out + columns(), out, [this](float w) { return w * factor_; });
    }
  }

  RowMeasure measure(std::size_t row, float* scratch) const {
    load(row, scratch);
    const float* const end = scratch + columns();
    const std::uint32_t absmax_bits = runtime_.kernels().absmax_bits(scratch, columns());
    if (absmax_bits >= kInfinityBits) {
      const float* const bad =
          std::find_if(scratch, scratch + columns(), [](float w) { return !std::isfinite(w); });
      throw NonFiniteError("tensor " + weight_.tensor.name, row,
                           static_cast<std::size_t>(bad - scratch), *bad);
    }
    const auto largest = std::bit_cast<float>(absmax_bits);
    const bool one_magnitude = std::all_of<const float*>(
        scratch, end, [&](float w) { return w == 0.0F || std::abs(w) == largest; });
    return {runtime_.kernels().sum_abs(scratch, columns(), 0), absmax_bits, one_magnitude};
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
    all_zero_ = absmax_bits == 0;
    was_ternary_ = !all_zero_ && std::all_of(measures.begin(), measures.end(), fits);
    if (was_ternary_) {
      scale_ = std::bit_cast<float>(absmax_bits);
      threshold_ = scale_;
    } else {
      ternarize_by(weight_scale(sum_abs, weight_.name.rows * columns(), BitNetConfig::b158()));
    }
  }

  void ternarize_by(float scale) {
    scale_ = scale;
    threshold_ = ternary_threshold(scale, BitNetConfig::b158());
  }

  /// Scaled trits have an absmean below their scale, so that of their sum with an update says
  /// nothing about the latents.
  void keep_scale_of_trits() {
    const SourceWeight base = base_of(weight_);
    const auto reader = open_projection(source_, base, runtime_, [](std::uint64_t) {});
    was_ternary_ = false;
    if (reader->was_ternary()) {
      ternarize_by(reader->scale());
    }
  }

  const ModelSource& source_;
  const SourceWeight& weight_;
  const Runtime& runtime_;
  float factor_;  // of a scale tensor beside floats
  float threshold_ = 0;
  bool all_zero_ = false;
};

/// Trits as they are stored.
class TritReader : public ProjectionReader {
 public:
  TritReader(const ModelSource& source, const SourceWeight& weight, float scale)
      : source_(source), weight_(weight) {
    scale_ = scale;
    was_ternary_ = true;
  }

  std::size_t read_row(std::size_t row, float* /*weights*/, std::int8_t* trits) const override {
    const std::span out(trits, weight_.name.columns);
    if (weight_.hf_packed) {
      decode_hf_packed(weight_.tensor, weight_.name.rows, row, 1, out);
    } else {
      decode_trits(weight_.tensor, stored_row(source_, weight_, row), 1, out);
    }
    return count_zeros(out);
  }

 private:
  const ModelSource& source_;
  const SourceWeight& weight_;
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
  // Independent lanes let the compiler use vectors without reordering any addition.
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> weight_lanes{};
  std::array<double, kLanes> error_lanes{};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const double weight = weights[i];
    const double error = weight - static_cast<double>(approximations[i]);
    weight_lanes[lane] += weight * weight;
    error_lanes[lane] += error * error;
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
  return {std::accumulate(weight_lanes.begin(), weight_lanes.end(), 0.0),
          std::accumulate(error_lanes.begin(), error_lanes.end(), 0.0)};
}

void load_stored_row(const StoredTensor& tensor, std::size_t row, const Runtime& runtime,
                     float* out) {
  const kernels::KernelTable& kernels = runtime.kernels();
  const std::size_t columns = tensor.shape.columns();
  const std::byte* const bytes =
      tensor.bytes.data() + row * (tensor.bytes.size() / tensor.shape.rows());
  switch (tensor.encoding) {
    case Encoding::f16:
    case Encoding::bf16:
      break;
    case Encoding::q8_0:
      kernels.q8_0_to_f32(bytes, columns, out);
      return;
    case Encoding::q6_k:
      kernels.q6_k_to_f32(bytes, columns, out);
      return;
    default:
      decode_to_float(tensor, row, 1, {out, columns});
      return;
  }
  const auto widen = tensor.encoding == Encoding::f16 ? kernels.f16_to_f32 : kernels.bf16_to_f32;
  if (reinterpret_cast<std::uintptr_t>(bytes) % alignof(std::uint16_t) == 0) {
    widen(reinterpret_cast<const std::uint16_t*>(bytes), out, columns);
    return;
  }
  // Through an aligned chunk: a tensor may begin at any byte of its file.
  std::array<std::uint16_t, 1024> chunk;
  for (std::size_t k = 0; k < columns; k += chunk.size()) {
    const std::size_t n = std::min(chunk.size(), columns - k);
    std::memcpy(chunk.data(), bytes + k * sizeof(std::uint16_t), n * sizeof(std::uint16_t));
    widen(chunk.data(), out + k, n);
  }
}

bool needs_measuring(const SourceWeight& weight) {
  return !weight.updates.empty() || (!weight.hf_packed && !is_ternary_type(weight.tensor.encoding));
}

std::unique_ptr<ProjectionReader> open_projection(const ModelSource& source,
                                                  const SourceWeight& weight,
                                                  const Runtime& runtime,
                                                  const BytesRead& on_read) {
  if (!weight.updates.empty()) {
    return std::make_unique<MasterReader>(source, weight, runtime, on_read);
  }
  if (weight.hf_packed) {
    return std::make_unique<TritReader>(
        source, weight, read_hf_scale(*weight.scale_tensor, source.scale_meaning()));
  }
  const std::optional<float> stored =
      is_ternary_type(weight.tensor.encoding) ? common_scale(weight.tensor) : std::nullopt;
  if (!stored) {
    return std::make_unique<MasterReader>(source, weight, runtime, on_read);
  }
  const float scale = *stored * scale_factor(weight);
  if (!(scale > 0) || !std::isfinite(scale)) {
    throw QuantizationError(message(weight.tensor.file.string(), ": tensor '", weight.tensor.name,
                                    "': expected a positive finite scale, found ", scale));
  }
  return std::make_unique<TritReader>(source, weight, scale);
}

void read_update_row(const SourceWeight& weight, const Runtime& runtime, std::size_t row,
                     std::span<float> out) {
  const kernels::KernelTable& kernels = runtime.kernels();
  thread_local AlignedVector<float> product;
  product.resize(out.size());
  std::ranges::fill(out, 0.0F);
  for (const WeightUpdate& update : weight.updates) {
    for (std::size_t j = 0; j < update.rank; ++j) {
      kernels.normalize(update.matrix->a.data() + j * out.size(), out.size(),
                        update.scale * update.matrix->b[row * update.rank + j], nullptr,
                        product.data());
      kernels.add_to(product.data(), out.size(), out.data());
    }
  }
}

void read_float_row(const ModelSource& source, const SourceWeight& weight, const Runtime& runtime,
                    std::size_t row, std::span<float> out) {
  if (weight.hf_packed) {
    AlignedVector<std::int8_t> trits(out.size());
    decode_hf_packed(weight.tensor, weight.name.rows, row, 1, trits);
    const float scale = read_hf_scale(*weight.scale_tensor, source.scale_meaning());
    std::transform(trits.begin(), trits.end(), out.begin(),
                   [scale](std::int8_t trit) { return scale * static_cast<float>(trit); });
  } else {
    load_stored_row(weight.tensor, stored_row(source, weight, row), runtime, out.data());
    const float factor = scale_factor(weight);
    const float added = weight.one_was_added ? 1 : 0;
    for (float& value : out) {
      value = value * factor - added;
    }
  }
  if (!weight.updates.empty()) {
    thread_local AlignedVector<float> update;
    update.resize(out.size());
    read_update_row(weight, runtime, row, update);
    runtime.kernels().add_to(update.data(), out.size(), out.data());
  }
}

}  // namespace bitnet
