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
#include "model/model_source.h"
#include "model/projection_reader.h"
#include "model/row_blocks.h"

namespace bitnet {
namespace {

/// A checkpoint and, if it holds a model that we know, which weight each tensor is.
class DescribedCheckpoint {
 public:
  DescribedCheckpoint(const Checkpoint& checkpoint, const Runtime& runtime)
      : checkpoint_(checkpoint) {
    try {
      model_.emplace(checkpoint, ModelSourceOptions{}, runtime);
      for (const SourceWeight& weight : model_->weights()) {
        weights_.emplace(weight.tensor.name, &weight);
      }
    } catch (const Error&) {  // tensors can be listed without knowing the model
      model_.reset();
      weights_.clear();
    }
  }
  DescribedCheckpoint(const DescribedCheckpoint&) = delete;
  DescribedCheckpoint& operator=(const DescribedCheckpoint&) = delete;

  const Checkpoint& checkpoint() const { return checkpoint_; }
  bool has_model() const { return model_.has_value(); }
  const ModelSource& model() const { return *model_; }

  /// nullptr for a tensor that is no weight of a known model.
  const SourceWeight* weight(const std::string& tensor_name) const {
    const auto found = weights_.find(tensor_name);
    return found == weights_.end() ? nullptr : found->second;
  }

 private:
  const Checkpoint& checkpoint_;
  std::optional<ModelSource> model_;
  std::map<std::string, const SourceWeight*> weights_;  // by tensor name
};

bool has_numbers(Encoding encoding) {
  return holds_trits(encoding) || encoding == Encoding::f32 || encoding == Encoding::f16 ||
         encoding == Encoding::bf16;
}

/// A stored matrix as rows of floats, whichever its encoding; those of a known model in Hugging
/// Face's order.
struct StoredMatrix {
  const DescribedCheckpoint* checkpoint;
  const SourceWeight* weight;  // nullptr outside of known models
  const StoredTensor* tensor;
  std::size_t rows;
  std::size_t columns;

  bool is_packed() const { return weight != nullptr && weight->hf_packed; }

  void read_row(const Runtime& runtime, std::size_t row, std::span<float> out) const {
    if (weight != nullptr) {
      read_float_row(checkpoint->model(), *weight, runtime, row, out);
    } else {
      decode_to_float(*tensor, row, 1, out);
    }
  }
};

/// nullopt for what is no matrix of numbers.
std::optional<StoredMatrix> find_matrix(const DescribedCheckpoint& described,
                                        const StoredTensor& tensor) {
  if (tensor.shape.rank() != 2 || tensor.shape.numel() == 0) {
    return std::nullopt;
  }
  const SourceWeight* const weight = described.weight(tensor.name);
  if (weight != nullptr) {
    return StoredMatrix{&described, weight, &weight->tensor, weight->name.rows,
                        weight->name.columns};
  }
  if (!has_numbers(tensor.encoding)) {
    return std::nullopt;
  }
  return StoredMatrix{&described, nullptr, &tensor, tensor.shape[0], tensor.shape[1]};
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
      : input_(input, runtime), runtime_(runtime) {
    if (source != nullptr) {
      source_.emplace(*source, runtime);
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
  std::optional<TernaryInspection> inspect_matrix(const StoredMatrix& matrix) const {
    const bool ternary_type = matrix.is_packed() || is_ternary_type(matrix.tensor->encoding);
    const std::optional<StoredMatrix> original = find_original(matrix);
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

  void add_block(const StoredMatrix& matrix, const std::optional<StoredMatrix>& original,
                 std::size_t first, std::size_t count, MagnitudeSummary& total) const {
    const std::size_t columns = matrix.columns;
    AlignedVector<float> floats(count * 2 * columns);
    std::vector<MagnitudeSummary> rows(count);
    parallel_rows(runtime_, count, [&](std::size_t i) {
      const std::span values(floats.data() + i * 2 * columns, columns);
      matrix.read_row(runtime_, first + i, values);
      rows[i] = summarize_row(values);
      if (original) {
        const std::span weights(values.data() + columns, columns);
        original->read_row(runtime_, first + i, weights);
        rows[i].sums = square_sums(weights.data(), values.data(), columns);
      }
    });
    for (const MagnitudeSummary& row : rows) {
      total.add(row);
    }
    input_.checkpoint().release(*matrix.tensor);
    if (original) {
      source_->checkpoint().release(*original->tensor);
    }
  }

  std::optional<float> scale_of(const StoredMatrix& matrix, const MagnitudeSummary& total) const {
    if (total.one_magnitude && total.magnitude != 0) {
      return total.magnitude;
    }
    // All zeros: the stored scale says what they would be multiplied by.
    if (matrix.is_packed()) {
      return read_hf_scale(*matrix.weight->scale_tensor, input_.model().scale_meaning());
    }
    return is_ternary_type(matrix.tensor->encoding) ? common_scale(*matrix.tensor) : std::nullopt;
  }

  /// The matrix of the source that one of the input was made from.
  std::optional<StoredMatrix> find_original(const StoredMatrix& matrix) const {
    if (!source_ || matrix.weight == nullptr ||
        matrix.weight->name.role != WeightRole::projection) {
      return std::nullopt;
    }
    const SourceWeight* const original =
        source_->has_model() ? source_->model().find(matrix.weight->name.gguf) : nullptr;
    if (original == nullptr) {
      return std::nullopt;
    }
    const std::optional<StoredMatrix> found = find_matrix(*source_, original->tensor);
    if (found->rows != matrix.rows || found->columns != matrix.columns) {
      throw ShapeMismatch(
          message("tensor ", matrix.tensor->name, ": expected its source ", found->tensor->name,
                  " to be ", Shape{matrix.rows, matrix.columns}.to_string(), " weights, found ",
                  found->tensor->type_name, " ", found->tensor->shape.to_string()));
    }
    return found;
  }

  DescribedCheckpoint input_;
  std::optional<DescribedCheckpoint> source_;
  const Runtime& runtime_;
};

}  // namespace

std::vector<TensorInspection> inspect_checkpoint(const Checkpoint& input, const Checkpoint* source,
                                                 const Runtime& runtime) {
  const Inspector inspector(input, source, runtime);
  std::vector<TensorInspection> result;
  for (const StoredTensor& tensor : input.tensors()) {
    result.push_back(inspector.inspect(tensor));
  }
  return result;
}

}  // namespace bitnet
