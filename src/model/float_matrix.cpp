// SPDX-License-Identifier: MIT
#include "model/float_matrix.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/thread_pool.h"
#include "formats/float_encodings.h"
#include "kernels/kernel_table.h"
#include "model/projection_reader.h"
#include "model/row_blocks.h"
#include "quantize/row_loop.h"

namespace bitnet {
namespace {

/// Rows that a thread takes at once: some tens of microseconds.
constexpr std::size_t kChunkRows = 64;

}  // namespace

FloatMatrix FloatMatrix::mapped(const Checkpoint& checkpoint, const StoredTensor& tensor) {
  FloatMatrix matrix;
  matrix.tensor_ = tensor;
  matrix.checkpoint_ = checkpoint;
  return matrix;
}

FloatMatrix FloatMatrix::copied(const Checkpoint& checkpoint, const StoredTensor& tensor,
                                const Runtime& runtime) {
  AlignedVector<std::byte> bytes(tensor.bytes.size());
  const std::size_t row_bytes = bytes.size() / tensor.shape.rows();
  for_each_row_block(
      tensor.shape.rows(), tensor.shape.columns(), [&](std::size_t first, std::size_t count) {
        parallel_rows(runtime, count, [&](std::size_t i) {
          const std::size_t at = (first + i) * row_bytes;
          std::memcpy(bytes.data() + at, tensor.bytes.data() + at, row_bytes);
        });
        checkpoint.release(tensor.bytes.subspan(first * row_bytes, count * row_bytes));
      });
  return from_bytes(std::move(bytes), tensor.encoding, tensor.shape.rows(), tensor.shape.columns());
}

FloatMatrix FloatMatrix::encoded(const Checkpoint& checkpoint, const StoredTensor& tensor,
                                 Encoding encoding, const Runtime& runtime) {
  const std::size_t rows = tensor.shape.rows();
  const std::size_t columns = tensor.shape.columns();
  const std::size_t row_bytes = float_row_bytes(encoding, columns);
  const std::size_t stored_row_bytes = tensor.bytes.size() / rows;
  AlignedVector<std::byte> bytes(rows * row_bytes);
  for_each_row_block(rows, columns, [&](std::size_t first, std::size_t count) {
    parallel_rows(runtime, count, [&](std::size_t i) {
      thread_local AlignedVector<float> row;
      row.resize(columns);
      load_stored_row(tensor, first + i, runtime, row.data());
      encode_float_rows(encoding, row, columns,
                        {bytes.data() + (first + i) * row_bytes, row_bytes});
    });
    checkpoint.release(tensor.bytes.subspan(first * stored_row_bytes, count * stored_row_bytes));
  });
  return from_bytes(std::move(bytes), encoding, rows, columns);
}

FloatMatrix FloatMatrix::from_bytes(AlignedVector<std::byte> bytes, Encoding encoding,
                                    std::size_t rows, std::size_t columns) {
  FloatMatrix matrix;
  matrix.bytes_ = std::make_shared<const AlignedVector<std::byte>>(std::move(bytes));
  matrix.tensor_.encoding = encoding;
  matrix.tensor_.shape = Shape{rows, columns};
  matrix.tensor_.bytes = *matrix.bytes_;
  return matrix;
}

void FloatMatrix::release_rows(std::size_t first, std::size_t count) const {
  if (checkpoint_) {
    const std::size_t row_bytes = tensor_.bytes.size() / rows();
    checkpoint_->release(tensor_.bytes.subspan(first * row_bytes, count * row_bytes));
  }
}

void FloatMatrix::prefetch_row(std::size_t row) const {
  constexpr std::size_t kLine = 64;
  const std::size_t row_bytes = tensor_.bytes.size() / rows();
  const std::byte* const bytes = tensor_.bytes.data() + row * row_bytes;
  for (std::size_t at = 0; at < row_bytes; at += kLine) {
    __builtin_prefetch(bytes + at);
  }
}

void FloatMatrix::read_row(std::size_t row, const Runtime& runtime, float* out) const {
  load_stored_row(tensor_, row, runtime, out);
}

void FloatMatrix::dot_rows(std::size_t first, std::size_t count, const float* x, float* y,
                           const Runtime& runtime) const {
  const kernels::KernelTable& kernels = runtime.kernels();
  const auto dot_blocks = encoding() == Encoding::q8_0   ? kernels.dot_q8_0
                          : encoding() == Encoding::q6_k ? kernels.dot_q6_k
                                                         : nullptr;
  if (dot_blocks != nullptr) {
    const std::size_t row_bytes = tensor_.bytes.size() / rows();
    dot_blocks(tensor_.bytes.data() + first * row_bytes, count, x, columns(),
               count == 1 ? 0 : kernels::tile_prefetch(), y);
    return;
  }
  AlignedVector<float>& row = row_scratch();
  row.resize(columns());
  for (std::size_t v = 0; v < count; ++v) {
    load_stored_row(tensor_, first + v, runtime, row.data());
    y[v] = kernels.dot(row.data(), x, columns());
  }
}

void FloatMatrix::multiply(const float* x, std::size_t tokens, float* y,
                           const Runtime& runtime) const {
  const std::size_t row_count = rows();
  const std::size_t width = columns();
  runtime.pool().parallel_for((row_count + kChunkRows - 1) / kChunkRows, [&](std::size_t chunk) {
    const std::size_t first = chunk * kChunkRows;
    const std::size_t last = std::min(row_count, first + kChunkRows);
    if (tokens == 1) {
      dot_rows(first, last - first, x, y + first, runtime);
      return;
    }
    AlignedVector<float>& row = row_scratch();
    row.resize(width);
    for (std::size_t v = first; v < last; ++v) {
      load_stored_row(tensor_, v, runtime, row.data());
      for (std::size_t t = 0; t < tokens; ++t) {
        y[t * row_count + v] = runtime.kernels().dot(row.data(), x + t * width, width);
      }
    }
  });
}

}  // namespace bitnet
