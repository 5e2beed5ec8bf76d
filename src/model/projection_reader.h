// SPDX-License-Identifier: MIT
// A projection matrix of a checkpoint as rows of digits (trit + 1), whichever way it is stored.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "model/model_config.h"

namespace bitnet {

/// What reading one row found.
struct RowSummary {
  std::size_t zeros = 0;
  double squares = 0;         ///< Σ w²
  double squared_errors = 0;  ///< Σ (w - scale * trit)²
  /// The first column whose code is no trit; digits are then unspecified.
  std::optional<std::size_t> bad_column;
};

/// Rows are numbered as in the checkpoint. read_row may be called from many threads.
class ProjectionReader {
 public:
  virtual ~ProjectionReader() = default;
  /// Digits [columns] of one row; scratch [columns] is overwritten. Does not throw.
  virtual RowSummary read_row(std::size_t row, float* scratch, std::uint8_t* digits) const = 0;

  float scale() const { return scale_; }
  /// The checkpoint already held {-scale, 0, scale}.
  bool was_ternary() const { return was_ternary_; }

 protected:
  float scale_ = 0;
  bool was_ternary_ = false;
};

/// Bytes of a tensor that were read since the last call.
using BytesRead = std::function<void(std::uint64_t)>;

/// Float masters [rows, columns], F32, F16 or BF16: reads all of them once to find the absmean
/// scale of BitNetConfig::b158(). A matrix whose nonzero magnitudes are all equal is ternary
/// already: its absmean would shrink the scale by its density, so it keeps that magnitude. Throws
/// NonFiniteError naming tensor, row and column.
std::unique_ptr<ProjectionReader> open_masters(const Checkpoint& checkpoint,
                                               const StoredTensor& weight, const Runtime& runtime,
                                               const BytesRead& on_read);

/// U8 codes [ceil(rows / 4), columns] of Hugging Face: with R = ceil(rows / 4), bits 2i + 1..2i of
/// byte row r hold row r + i R. weight_scale divides or multiplies as the linear class says.
std::unique_ptr<ProjectionReader> open_packed(const StoredTensor& weight, std::size_t rows,
                                              const StoredTensor& weight_scale,
                                              const std::optional<QuantizationConfig>& config);

/// One row of an F32, F16 or BF16 tensor as floats [columns], wherever its bytes are aligned.
void load_row(const StoredTensor& tensor, std::size_t row, const Runtime& runtime, float* out);

/// Throws UnsupportedError unless load_row can read the tensor.
void require_float(const StoredTensor& tensor);

/// Calls body(first, count) over [0, rows) in blocks of rows that hold about 4 MiB of floats: large
/// enough for every thread, small against any model.
void for_each_row_block(std::size_t rows, std::size_t columns,
                        const std::function<void(std::size_t first, std::size_t count)>& body);

}  // namespace bitnet
