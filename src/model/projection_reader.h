// SPDX-License-Identifier: MIT
// A projection matrix of a Hugging Face checkpoint as rows of trits, whichever way it is stored.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "formats/hf_packed.h"

namespace bitnet {

/// Σ w² and Σ (w - ŵ)², both in double.
struct SquareSums {
  double weights = 0;
  double errors = 0;

  SquareSums& operator+=(const SquareSums& other);
  /// 10 log10(weights / errors); infinity when there is no error.
  double sqnr_db() const;
};

/// Sums over one row of n numbers, in an order that no compiler changes.
SquareSums square_sums(const float* weights, const float* approximations, std::size_t n);

/// Rows are numbered as in the checkpoint; read_row may be called from many threads.
class ProjectionReader {
 public:
  virtual ~ProjectionReader() = default;
  /// Trits [columns] of one row; scratch [2 * columns] is overwritten. The sums are zeros when
  /// nothing was rounded. Throws TernaryError for a code that is no trit.
  virtual SquareSums read_row(std::size_t row, float* scratch, std::int8_t* trits) const = 0;

  float scale() const { return scale_; }
  /// The checkpoint already held {-scale, 0, scale}.
  bool was_ternary() const { return was_ternary_; }

 protected:
  float scale_ = 0;
  bool was_ternary_ = false;
};

/// Told how many more bytes of the checkpoint were read.
using BytesRead = std::function<void(std::uint64_t)>;

/// Float masters [rows, columns], F32, F16 or BF16: reads all of them once to find the absmean
/// scale of BitNetConfig::b158(). A matrix whose nonzero magnitudes are all equal is ternary
/// already: its absmean would shrink the scale by its density, so it keeps that magnitude. Throws
/// NonFiniteError naming tensor, row and column. The arguments must outlive the reader.
std::unique_ptr<ProjectionReader> open_masters(const Checkpoint& checkpoint,
                                               const StoredTensor& weight, const Runtime& runtime,
                                               const BytesRead& on_read);

/// The packed codes of a matrix of `rows` rows and its scale (formats/hf_packed.h), kept exactly.
std::unique_ptr<ProjectionReader> open_packed(const StoredTensor& weight, std::size_t rows,
                                              const StoredTensor& weight_scale,
                                              HfScaleMeaning meaning);

/// Calls body(first, count) over [0, rows) in blocks that hold about a million numbers: enough work
/// for every thread, little memory beside any model.
void for_each_row_block(std::size_t rows, std::size_t columns,
                        const std::function<void(std::size_t first, std::size_t count)>& body);

/// Calls body(i) for each i below count, on all threads of the runtime; then rethrows what the
/// lowest i threw, so that an error does not depend on the number of threads.
void parallel_rows(const Runtime& runtime, std::size_t count,
                   const std::function<void(std::size_t)>& body);

}  // namespace bitnet
