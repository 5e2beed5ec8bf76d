// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/inspect_checkpoint.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <span>
#include <utility>

#include "base/aligned_vector.h"
#include "base/message.h"
#include "formats/encoding.h"
#include "formats/ternary_encodings.h"
#include "kernels/kernel_table.h"
#include "model/model_source.h"
#include "model/projection_reader.h"
#include "model/row_blocks.h"
#include "model/value_tally.h"

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

/// Any tensor whose numbers can be decoded, as rows of its last dimension.
std::optional<StoredMatrix> find_values(const DescribedCheckpoint& described,
                                        const StoredTensor& tensor) {
  if (const std::optional<StoredMatrix> matrix = find_matrix(described, tensor)) {
    return matrix;
  }
  const MatrixExtent extent = matrix_extent(tensor.shape);
  if (tensor.encoding == Encoding::other || extent.rows == 0 || extent.columns == 0) {
    return std::nullopt;
  }
  return StoredMatrix{&described, nullptr, &tensor, extent.rows, extent.columns};
}

/// Adds values [n] to the tally, on all threads, always in the same pieces.
void add_values(const Runtime& runtime, std::span<const float> values, ValueTally& total) {
  constexpr std::size_t kPiece = std::size_t{1} << 15;
  std::vector<ValueTally> pieces((values.size() + kPiece - 1) / kPiece);
  parallel_rows(runtime, pieces.size(), [&](std::size_t i) {
    const std::size_t first = i * kPiece;
    pieces[i] = ValueTally(values.subspan(first, std::min(kPiece, values.size() - first)));
  });
  for (const ValueTally& piece : pieces) {
    total.add(piece);
  }
}

/// What one row, or all rows so far, showed.
struct MagnitudeSummary {
  std::size_t zeros = 0;
  float magnitude = 0;        // of the nonzero numbers, when they have one
  bool one_magnitude = true;  // every number is 0 or ± magnitude

  void add(const MagnitudeSummary& row) {
    zeros += row.zeros;
    one_magnitude = one_magnitude && row.one_magnitude &&
                    (row.magnitude == 0 || magnitude == 0 || row.magnitude == magnitude);
    magnitude = std::max(magnitude, row.magnitude);
  }
};

MagnitudeSummary summarize_row(const Runtime& runtime, std::span<const float> values) {
  const auto magnitude =
      std::bit_cast<float>(runtime.kernels().absmax_bits(values.data(), values.size()));
  std::size_t zeros = 0;
  std::size_t extremes = 0;
  for (const float value : values) {
    zeros += value == 0 ? 1 : 0;
    extremes += std::abs(value) == magnitude ? 1 : 0;
  }
  const bool one_magnitude =
      magnitude == 0 || (std::isfinite(magnitude) && zeros + extremes == values.size());
  return {zeros, magnitude, one_magnitude};
}

class Inspector {
 public:
  Inspector(const Checkpoint& input, const Checkpoint* source, const Runtime& runtime,
            const InspectOptions& options)
      : input_(input, runtime), runtime_(runtime), options_(options) {
    if (source != nullptr) {
      source_.emplace(*source, runtime);
    }
  }

  TensorInspection inspect(const StoredTensor& tensor) const {
    TensorInspection result{tensor.name, tensor.type_name, tensor.shape, tensor.bytes.size(), {}};
    if (const std::optional<StoredMatrix> matrix = find_matrix(input_, tensor)) {
      inspect_matrix(*matrix, result);
    } else if (const auto other = find_values(input_, tensor); other && options_.histograms) {
      ValueTally tally;
      for_each_row_block(other->rows, other->columns, [&](std::size_t first, std::size_t count) {
        add_values(runtime_, read_block(*other, first, count), tally);
      });
      result.statistics = tally.statistics();
    }
    return result;
  }

 private:
  void inspect_matrix(const StoredMatrix& matrix, TensorInspection& result) const {
    const bool ternary_type = matrix.is_packed() || is_ternary_type(matrix.tensor->encoding);
    const std::optional<StoredMatrix> original = find_original(matrix);
    MagnitudeSummary total;
    SquareSums sums;
    ValueTally tally;
    for_each_row_block(matrix.rows, matrix.columns, [&](std::size_t first, std::size_t count) {
      const bool can_be_ternary = ternary_type || total.one_magnitude;
      if (!can_be_ternary && !options_.histograms) {
        return;
      }
      const AlignedVector<float> values = read_block(matrix, first, count);
      if (can_be_ternary) {
        add_magnitudes(values, matrix.columns, total);
      }
      if (can_be_ternary && original) {
        add_square_sums(values, read_block(*original, first, count), matrix.columns, sums);
      }
      if (options_.histograms) {
        add_values(runtime_, values, tally);
      }
    });
    if (options_.histograms) {
      result.statistics = tally.statistics();
    }
    if (ternary_type || (total.one_magnitude && total.magnitude != 0)) {
      TernaryInspection& ternary = result.ternary.emplace();
      ternary.scale = scale_of(matrix, total);
      ternary.sparsity = static_cast<double>(total.zeros) / static_cast<double>(matrix.rows) /
                         static_cast<double>(matrix.columns);
      if (original) {
        ternary.sqnr_db = sums.sqnr_db();
      }
    }
  }

  /// Rows [first, first + count) as floats [count, columns].
  AlignedVector<float> read_block(const StoredMatrix& matrix, std::size_t first,
                                  std::size_t count) const {
    AlignedVector<float> values(count * matrix.columns);
    parallel_rows(runtime_, count, [&](std::size_t i) {
      matrix.read_row(runtime_, first + i, {values.data() + i * matrix.columns, matrix.columns});
    });
    matrix.checkpoint->checkpoint().release(*matrix.tensor);
    return values;
  }

  void add_magnitudes(std::span<const float> values, std::size_t columns,
                      MagnitudeSummary& total) const {
    std::vector<MagnitudeSummary> rows(values.size() / columns);
    parallel_rows(runtime_, rows.size(), [&](std::size_t i) {
      rows[i] = summarize_row(runtime_, values.subspan(i * columns, columns));
    });
    for (const MagnitudeSummary& row : rows) {
      total.add(row);
    }
  }

  void add_square_sums(std::span<const float> values, std::span<const float> weights,
                       std::size_t columns, SquareSums& total) const {
    std::vector<SquareSums> rows(values.size() / columns);
    parallel_rows(runtime_, rows.size(), [&](std::size_t i) {
      rows[i] = square_sums(&weights[i * columns], &values[i * columns], columns);
    });
    for (const SquareSums& row : rows) {
      total += row;
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
  InspectOptions options_;
};

}  // namespace

std::vector<TensorInspection> inspect_checkpoint(const Checkpoint& input, const Checkpoint* source,
                                                 const Runtime& runtime,
                                                 const InspectOptions& options) {
  const Inspector inspector(input, source, runtime, options);
  std::vector<TensorInspection> result;
  for (const StoredTensor& tensor : input.tensors()) {
    result.push_back(inspector.inspect(tensor));
  }
  return result;
}

}  // namespace bitnet
