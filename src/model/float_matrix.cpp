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

/// Long enough for the hardware to see a thread's share as one stream.
constexpr std::size_t kChunksPerThread = 8;
/// Rows that many vectors are multiplied by while they stay in the second-level cache.
constexpr std::size_t kCachedRows = 64;
/// Rows that are floats at once.
constexpr std::size_t kFewRows = 4;
// Rows here and there lie too far apart for hardware to foresee; one takes about memory's latency.
constexpr std::size_t kRowsAhead = 2;

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
  for (std::size_t at = 0; at < row_bytes(); at += kLine) {
    __builtin_prefetch(row_data(row) + at);
  }
}

void FloatMatrix::read_row(std::size_t row, const Runtime& runtime, float* out) const {
  load_stored_row(tensor_, row, runtime, out);
}

void FloatMatrix::prepare(const float* x, std::size_t tokens, Vectors& vectors) const {
  vectors.x = x;
  vectors.count = tokens;
  if (encoding() == Encoding::q6_k) vectors.fixed_point.assign(x, tokens, columns());
}

void FloatMatrix::dot_rows(std::span<const std::size_t> rows, const Vectors& vectors, std::size_t t,
                           float* y, const Runtime& runtime) const {
  const std::size_t width = columns();
  AlignedVector<float>& floats = row_scratch();
  floats.resize(kFewRows * width);
  for (std::size_t first = 0; first < rows.size(); first += kFewRows) {
    const std::span few = rows.subspan(first, std::min(kFewRows, rows.size() - first));
    float products[kFewRows];
    for (std::size_t i = 0; i < few.size(); ++i) {
      if (first + i + kRowsAhead < rows.size()) prefetch_row(rows[first + i + kRowsAhead]);
      if (encoding() == Encoding::q6_k) {
        runtime.kernels().dot_q6_k(row_data(few[i]), 1, vectors.fixed_point.row(t), 0, products + i,
                                   kFewRows);
      } else {
        read_row(few[i], runtime, floats.data() + i * width);
      }
    }
    if (encoding() != Encoding::q6_k) {
      runtime.kernels().dots(floats.data(), few.size(), vectors.x + t * width, 1, width, products,
                             kFewRows);
    }
    for (std::size_t i = 0; i < few.size(); ++i) y[few[i]] = products[i];
  }
}

void FloatMatrix::multiply_rows(std::size_t first, std::size_t last, const Vectors& vectors,
                                float* y, const Runtime& runtime) const {
  const kernels::KernelTable& kernels = runtime.kernels();
  const std::size_t width = columns();
  if (encoding() == Encoding::q6_k) {
    kernels.dot_q6_k(row_data(first), last - first, vectors.fixed_point.vectors(),
                     kernels::row_prefetch(), y + first, rows());
    return;
  }
  if (encoding() == Encoding::q8_0 && vectors.count == 1) {
    kernels.dot_q8_0(row_data(first), last - first, vectors.x, width, kernels::tile_prefetch(),
                     y + first);
    return;
  }
  AlignedVector<float>& floats = row_scratch();
  floats.resize(kFewRows * width);
  for (; first < last; first += kFewRows) {
    const std::size_t count = std::min(kFewRows, last - first);
    for (std::size_t i = 0; i < count; ++i) {
      read_row(first + i, runtime, floats.data() + i * width);
    }
    kernels.dots(floats.data(), count, vectors.x, vectors.count, width, y + first, rows());
  }
}

void FloatMatrix::multiply(const float* x, std::size_t tokens, float* y,
                           const Runtime& runtime) const {
  thread_local Vectors vectors;
  prepare(x, tokens, vectors);
  const Vectors& prepared = vectors;  // this thread's
  const std::size_t chunks =
      std::min(rows(), kChunksPerThread * static_cast<std::size_t>(runtime.threads()));
  runtime.pool().parallel_for(chunks, [&](std::size_t chunk) {
    const std::size_t last = rows() * (chunk + 1) / chunks;
    const std::size_t rows_at_once = tokens == 1 ? rows() : kCachedRows;
    for (std::size_t first = rows() * chunk / chunks; first < last; first += rows_at_once) {
      multiply_rows(first, std::min(last, first + rows_at_once), prepared, y, runtime);
    }
  });
}

}  // namespace bitnet
