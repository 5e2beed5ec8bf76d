// SPDX-License-Identifier: MIT
// FloatMatrix: an embedding or an output head, [V, K], in whatever type it is stored.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "base/aligned_vector.h"
#include "quantize/fixed_point.h"

namespace bitnet {

/// Immutable; copies share the bytes.
class FloatMatrix {
 public:
  FloatMatrix() = default;
  /// Reads rows from the mapped file when they are asked for.
  static FloatMatrix mapped(const Checkpoint& checkpoint, const StoredTensor& tensor);
  /// A copy in memory of its own, on huge pages: for a matrix that every token reads whole.
  static FloatMatrix copied(const Checkpoint& checkpoint, const StoredTensor& tensor,
                            const Runtime& runtime);
  /// The same numbers encoded as q8_0 or q6_k. Throws what encode_float_rows throws.
  static FloatMatrix encoded(const Checkpoint& checkpoint, const StoredTensor& tensor,
                             Encoding encoding, const Runtime& runtime);
  /// Of bytes made elsewhere: [rows, columns] in `encoding`.
  static FloatMatrix from_bytes(AlignedVector<std::byte> bytes, Encoding encoding, std::size_t rows,
                                std::size_t columns);

  std::size_t rows() const { return tensor_.shape.rows(); }
  std::size_t columns() const { return tensor_.shape.columns(); }
  Encoding encoding() const { return tensor_.encoding; }
  /// Of memory of its own; 0 when mapped.
  std::size_t memory_bytes() const { return bytes_ ? bytes_->size() : 0; }
  std::size_t stored_bytes() const { return tensor_.bytes.size(); }

  /// Gives the pages of these rows back to the system when they are mapped: they cost memory until
  /// they are read again.
  void release_rows(std::size_t first, std::size_t count) const;

  /// out [K]
  void read_row(std::size_t row, const Runtime& runtime, float* out) const;
  /// Vectors x [T, K] as they are multiplied: floats or, by q6_k, fixed point
  /// (KernelTable::dot_q6_k).
  struct Vectors {
    const float* x;
    std::size_t count;
    FixedPointMatrix fixed_point;
  };
  /// Keeps x.
  void prepare(const float* x, std::size_t tokens, Vectors& vectors) const;
  /// y[v] = Σ_k x[t, k] * row v [k] for each v of `rows`, summed as KernelTable::dots or dot_q6_k
  /// does. y [V].
  void dot_rows(std::span<const std::size_t> rows, const Vectors& vectors, std::size_t t, float* y,
                const Runtime& runtime) const;
  /// y[t, v] = Σ_k x[t, k] * row v [k], summed likewise, on all threads. x [T, K], y [T, V].
  void multiply(const float* x, std::size_t tokens, float* y, const Runtime& runtime) const;

 private:
  /// multiply for rows [first, last), on this thread.
  void multiply_rows(std::size_t first, std::size_t last, const Vectors& vectors, float* y,
                     const Runtime& runtime) const;
  std::size_t row_bytes() const { return tensor_.bytes.size() / rows(); }
  const std::byte* row_data(std::size_t row) const {
    return tensor_.bytes.data() + row * row_bytes();
  }
  /// Asks memory for a row that will be read soon.
  void prefetch_row(std::size_t row) const;

  StoredTensor tensor_;
  std::optional<Checkpoint> checkpoint_;  // keeps mapped bytes
  std::shared_ptr<const AlignedVector<std::byte>> bytes_;
};

}  // namespace bitnet
