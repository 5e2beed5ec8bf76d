// SPDX-License-Identifier: MIT
// How many bytes a tensor of an Encoding takes.
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>
#include <optional>
#include <string>

namespace bitnet {

/// A row is `row_header` bytes, then one block of `bytes` per `elements` numbers (blocks never
/// straddle rows); `tail` bytes follow the last row. Where four rows are interleaved, so are their
/// headers and blocks: the bytes of a row are a quarter of its group's.
struct BlockLayout {
  std::size_t elements;
  std::size_t bytes;
  std::size_t row_header = 0;
  std::size_t tail = 0;
};

/// Encoding::other has none: its layout depends on what it stands for.
constexpr BlockLayout block_layout(Encoding encoding) {
  switch (encoding) {
    case Encoding::i8:
    case Encoding::u8:
    case Encoding::boolean:
      return {1, 1};
    case Encoding::f16:
    case Encoding::bf16:
    case Encoding::i16:
    case Encoding::u16:
      return {1, 2};
    case Encoding::f32:
    case Encoding::i32:
    case Encoding::u32:
      return {1, 4};
    case Encoding::f64:
    case Encoding::i64:
    case Encoding::u64:
      return {1, 8};
    case Encoding::q4_0:
      return {32, 18};
    case Encoding::q8_0:
      return {32, 34};
    case Encoding::q2_0:
      return {64, 18};
    case Encoding::tq1_0:
      return {256, 54};
    case Encoding::tq2_0:
      return {256, 66};
    case Encoding::i2_s:
      return {128, 32, 0, 32};
    case Encoding::i2_s_64:
    case Encoding::i2_s_rows4:
      return {64, 16, 0, 32};
    case Encoding::q4_k:
      return {256, 144};
    case Encoding::q5_k:
      return {256, 176};
    case Encoding::q6_k:
      return {256, 210};
    case Encoding::iq1_bn:
      return {64, 13, 2};
    case Encoding::iq2_bn:
    case Encoding::iq2_bn_r4:
      return {64, 16, 4};
    default:
      break;
  }
  return {1, 0};
}

/// A tensor as rows of its last dimension: a scalar is 1 x 1, a vector 1 x n.
struct MatrixExtent {
  std::size_t rows;
  std::size_t columns;
};
inline MatrixExtent matrix_extent(const Shape& shape) {
  return shape.rank() == 0 ? MatrixExtent{1, 1} : MatrixExtent{shape.rows(), shape.columns()};
}

/// nullopt when the number overflows. The columns must be a multiple of layout.elements.
inline std::optional<std::size_t> encoded_size(const BlockLayout& layout,
                                               const MatrixExtent& extent) {
  std::size_t size = extent.columns / layout.elements;
  if (__builtin_mul_overflow(size, layout.bytes, &size) ||
      __builtin_add_overflow(size, layout.row_header, &size) ||
      __builtin_mul_overflow(size, extent.rows, &size) ||
      __builtin_add_overflow(size, layout.tail, &size)) {
    return std::nullopt;
  }
  return size;
}

/// A tensor to be written. Shape is slowest-first, as in PyTorch.
struct TensorDeclaration {
  std::string name;
  Encoding encoding;
  Shape shape;
};

/// Bytes that the declared tensor takes. Throws UnsupportedError, naming the tensor, when its
/// encoding has no layout or does not fit the columns; ShapeMismatch when the size overflows.
std::size_t declared_size(const TensorDeclaration& tensor);

}  // namespace bitnet
