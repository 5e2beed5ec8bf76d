// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/inspect_checkpoint.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <utility>

#include "base/aligned_vector.h"
#include "base/message.h"
#include "formats/ternary_encodings.h"
#include "model/model_config.h"
#include "model/projection_reader.h"
#include "model/quantization_plan.h"
#include "model/weight_names.h"

namespace bitnet {
namespace {

/// A checkpoint and, for Hugging Face ones, what config.json says about its tensors.
class DescribedCheckpoint {
 public:
  explicit DescribedCheckpoint(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {
    if (checkpoint.config_json().empty()) {
      return;
    }
    try {
      config_ = parse_model_config(checkpoint.config_json());
      family_ = &find_model_family(*config_);
    } catch (const Error&) {  // tensors can be listed without knowing the model
      config_.reset();
    }
  }

  const Checkpoint& checkpoint() const { return checkpoint_; }
  const std::optional<ModelConfig>& config() const { return config_; }

  /// nullopt for names that config.json's family does not have.
  std::optional<WeightName> describe(const std::string& name) const {
    if (!config_) {
      return std::nullopt;
    }
    try {
      return translate_weight_name(name, *config_, *family_);
    } catch (const UnsupportedError&) {
      return std::nullopt;
    }
  }

  /// The GGUF name, by which tensors of different files find each other.
  std::string shared_name(const std::string& name) const {
    const std::optional<WeightName> weight = describe(name);
    return weight && !weight->gguf.empty() ? weight->gguf : name;
  }

 private:
  const Checkpoint& checkpoint_;
  std::optional<ModelConfig> config_;
  const ModelFamily* family_ = nullptr;
};

/// A stored matrix as rows of floats, whichever its encoding.
struct StoredMatrix {
  const StoredTensor* tensor;
  std::size_t rows;
  std::size_t columns;
  bool packed = false;  // by Hugging Face: factor is its scale
  float factor = 1;     // multiplies what is stored

  void read_row(std::size_t row, std::span<float> out) const {
    if (packed) {
      AlignedVector<std::int8_t> trits(columns);
      decode_hf_packed(*tensor, rows, row, 1, trits);
      std::copy(trits.begin(), trits.end(), out.begin());
    } else {
      decode_to_float(*tensor, row, 1, out);
    }
    for (float& value : out) {
      value *= factor;
    }
  }
};

bool has_numbers(Encoding encoding) {
  return holds_trits(encoding) || encoding == Encoding::f32 || encoding == Encoding::f16 ||
         encoding == Encoding::bf16;
}

/// Types that hold nothing but trits and scales. Others may.
bool is_ternary_type(Encoding encoding) {
  return encoding == Encoding::i2_s || encoding == Encoding::tq1_0 || encoding == Encoding::tq2_0;
}

/// nullopt for what is no matrix of numbers.
std::optional<StoredMatrix> find_matrix(const DescribedCheckpoint& described,
                                        const StoredTensor& tensor) {
  if (tensor.shape.rank() != 2 || tensor.shape.numel() == 0) {
    return std::nullopt;
  }
  StoredMatrix matrix{&tensor, tensor.shape[0], tensor.shape[1]};
  const Checkpoint& checkpoint = described.checkpoint();
  if (tensor.encoding == Encoding::u8) {
    const StoredTensor* const scale = checkpoint.find(tensor.name + "_scale");
    const std::optional<WeightName> weight = described.describe(tensor.name);
    if (scale == nullptr || !weight) {
      return std::nullopt;
    }
    matrix.rows = weight->rows;
    matrix.packed = true;
    matrix.factor = read_hf_scale(*scale, scale_meaning(*described.config()));
    return matrix;
  }
  if (!has_numbers(tensor.encoding)) {
    return std::nullopt;
  }
  const StoredTensor* const scale = checkpoint.find(scale_name(tensor.name));
  if (scale != nullptr && scale->shape.numel() == 1) {
    decode_to_float(*scale, 0, 1, {&matrix.factor, 1});
  }
  return matrix;
}

/// What one row, or all rows so far, showed.
struct MagnitudeSummary {
  std::size_t zeros = 0;
  float magnitude = 0;        // of the nonzero numbers, when they have one
  bool one_magnitude = true;  // every number is 0 or ± magnitude
  SquareSums sums;

  void add(const MagnitudeSummary& row) {
    zeros += row.zeros;
    sums += row.sums;
    one_magnitude = one_magnitude && row.one_magnitude &&
                    (row.magnitude == 0 || magnitude == 0 || row.magnitude == magnitude);
    magnitude = std::max(magnitude, row.magnitude);
  }
};

MagnitudeSummary summarize_row(std::span<const float> values) {
  MagnitudeSummary summary;
  for (const float value : values) {
    summary.magnitude = std::max(summary.magnitude, std::abs(value));
    summary.zeros += value == 0 ? 1 : 0;
  }
  summary.one_magnitude = std::all_of(values.begin(), values.end(), [&](float value) {
    return value == 0 || std::abs(value) == summary.magnitude;
  });
  return summary;
}

class Inspector {
 public:
  Inspector(const Checkpoint& input, const Checkpoint* source, const Runtime& runtime)
      : input_(input), runtime_(runtime) {
    if (source != nullptr) {
      source_.emplace(*source);
      for (const StoredTensor& tensor : source->tensors()) {
        source_tensors_.emplace(source_->shared_name(tensor.name), &tensor);
      }
    }
  }

  TensorInspection inspect(const StoredTensor& tensor) const {
    TensorInspection result{tensor.name, tensor.type_name, tensor.shape, tensor.bytes.size(), {}};
    if (const std::optional<StoredMatrix> matrix = find_matrix(input_, tensor)) {
      result.ternary = inspect_matrix(*matrix);
    }
    return result;
  }

 private:
  /// The matrix of the source that corresponds to one of the input.
  struct Original {
    StoredMatrix matrix;
    std::size_t permuted_head_dim;  // 0 when rows have the same order

    std::size_t row(std::size_t input_row) const {
      return permuted_head_dim == 0 ? input_row
                                    : query_key_source_row(input_row, permuted_head_dim);
    }
  };

  std::optional<TernaryInspection> inspect_matrix(const StoredMatrix& matrix) const {
    const bool ternary_type = matrix.packed || is_ternary_type(matrix.tensor->encoding);
    const std::optional<Original> original = find_original(matrix);
    MagnitudeSummary total;
    for_each_row_block(matrix.rows, matrix.columns, [&](std::size_t first, std::size_t count) {
      if (ternary_type || total.one_magnitude) {
        add_block(matrix, original, first, count, total);
      }
    });
    if (!ternary_type && (!total.one_magnitude || total.magnitude == 0)) {
      return std::nullopt;
    }
    TernaryInspection result;
    result.scale = scale_of(matrix, total);
    result.sparsity = static_cast<double>(total.zeros) / static_cast<double>(matrix.rows) /
                      static_cast<double>(matrix.columns);
    if (original) {
      result.sqnr_db = total.sums.sqnr_db();
    }
    return result;
  }

  void add_block(const StoredMatrix& matrix, const std::optional<Original>& original,
                 std::size_t first, std::size_t count, MagnitudeSummary& total) const {
    const std::size_t columns = matrix.columns;
    AlignedVector<float> floats(count * 2 * columns);
    std::vector<MagnitudeSummary> rows(count);
    parallel_rows(runtime_, count, [&](std::size_t i) {
      const std::span values(floats.data() + i * 2 * columns, columns);
      matrix.read_row(first + i, values);
      rows[i] = summarize_row(values);
      if (original) {
        const std::span weights(values.data() + columns, columns);
        original->matrix.read_row(original->row(first + i), weights);
        rows[i].sums = square_sums(weights.data(), values.data(), columns);
      }
    });
    for (const MagnitudeSummary& row : rows) {
      total.add(row);
    }
    input_.checkpoint().release(*matrix.tensor);
    if (original) {
      source_->checkpoint().release(*original->matrix.tensor);
    }
  }

  static std::optional<float> scale_of(const StoredMatrix& matrix, const MagnitudeSummary& total) {
    if (matrix.packed) {
      return matrix.factor;
    }
    if (total.one_magnitude && total.magnitude != 0) {
      return total.magnitude;
    }
    const std::optional<float> stored =
        is_ternary_type(matrix.tensor->encoding) ? common_scale(*matrix.tensor) : std::nullopt;
    return stored ? std::optional(*stored * matrix.factor) : std::nullopt;
  }

  std::optional<Original> find_original(const StoredMatrix& matrix) const {
    const auto found = source_tensors_.find(input_.shared_name(matrix.tensor->name));
    const std::optional<WeightName> weight =
        found == source_tensors_.end() ? std::nullopt : source_->describe(found->second->name);
    if (!weight || weight->role != WeightRole::projection) {
      return std::nullopt;
    }
    const std::optional<StoredMatrix> original = find_matrix(*source_, *found->second);
    if (!original || original->rows != matrix.rows || original->columns != matrix.columns) {
      throw ShapeMismatch(
          message("tensor ", matrix.tensor->name, ": expected its source ", found->second->name,
                  " to be ", Shape{matrix.rows, matrix.columns}.to_string(), " weights, found ",
                  found->second->type_name, " ", found->second->shape.to_string()));
    }
    const bool permuted =
        weight->permuted_rows && input_.checkpoint().format() == Checkpoint::Format::gguf;
    return Original{*original, permuted ? source_->config()->head_dim : 0};
  }

  DescribedCheckpoint input_;
  std::optional<DescribedCheckpoint> source_;
  std::map<std::string, const StoredTensor*, std::less<>> source_tensors_;  // by shared name
  const Runtime& runtime_;
};

}  // namespace

std::vector<TensorInspection> inspect_checkpoint(const Checkpoint& input, const Checkpoint* source,
                                                 const Runtime& runtime) {
  if (source != nullptr && source->format() != Checkpoint::Format::safetensors) {
    throw UnsupportedError(message(
        source->path().string(), ": expected a safetensors checkpoint as the source, found GGUF"));
  }
  const Inspector inspector(input, source, runtime);
  std::vector<TensorInspection> result;
  for (const StoredTensor& tensor : input.tensors()) {
    result.push_back(inspector.inspect(tensor));
  }
  return result;
}

}  // namespace bitnet
