// SPDX-License-Identifier: MIT
// The weights of a model as rows of trits or of floats, whichever way they are stored.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "model/model_source.h"

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

/// Rows are numbered as in a Hugging Face checkpoint; read_row may be called from many threads.
class ProjectionReader {
 public:
  virtual ~ProjectionReader() = default;
  /// Trits [columns] of one row. Where the checkpoint holds floats, weights [columns] becomes those
  /// of the row. Returns how many trits are zero. Throws TernaryError for a code that is no trit.
  virtual std::size_t read_row(std::size_t row, float* weights, std::int8_t* trits) const = 0;

  /// What multiplies the trits.
  float scale() const { return scale_; }
  /// The checkpoint already held {-scale, 0, scale}.
  bool was_ternary() const { return was_ternary_; }

 protected:
  float scale_ = 0;
  bool was_ternary_ = false;
};

/// Told how many more bytes of the checkpoint were read.
using BytesRead = std::function<void(std::uint64_t)>;

/// The matrix as trits. What is stored as trits keeps them and its scale. Floats (and quantized
/// floats) are read once to find the absmean scale of BitNetConfig::b158(); a matrix whose nonzero
/// magnitudes are all equal is ternary already: its absmean would shrink the scale by its density,
/// so it keeps that magnitude. Throws NonFiniteError naming tensor, row and column,
/// UnsupportedError for trits with several scales, which one scale cannot replace. The arguments
/// must outlive the reader. Of a weight with adapters the sum is ternarized: latents by the absmean
/// of the sum; where the checkpoint holds trits, with their scale, which was the absmean of latents
/// that are gone.
std::unique_ptr<ProjectionReader> open_projection(const ModelSource& source,
                                                  const SourceWeight& weight,
                                                  const Runtime& runtime, const BytesRead& on_read);

/// Whether open_projection reads the whole matrix to find its scale, as of all but ternary types.
bool needs_measuring(const SourceWeight& weight);

/// One stored row as floats [columns], without any scale tensor, wherever the bytes lie.
void load_stored_row(const StoredTensor& tensor, std::size_t row, const Runtime& runtime,
                     float* out);

/// Σ scale * B A over the adapters of a weight, one row: [columns].
void read_update_row(const SourceWeight& weight, const Runtime& runtime, std::size_t row,
                     std::span<float> out);

/// One row of any weight as the numbers that the model computes with, scales and adapters applied:
/// [columns].
void read_float_row(const ModelSource& source, const SourceWeight& weight, const Runtime& runtime,
                    std::size_t row, std::span<float> out);

}  // namespace bitnet
