// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/tensor.h>

#include <algorithm>
#include <limits>

#include "base/message.h"

namespace bitnet {

Shape::Shape(std::span<const std::size_t> dims) : rank_(dims.size()) {
  if (rank_ > kMaxRank) {
    throw ShapeMismatch(
        message("shape: expected at most ", kMaxRank, " dimensions, found ", rank_));
  }
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

std::size_t Shape::numel() const {
  std::size_t product = 1;
  for (const std::size_t dim : dims()) {
    if (dim != 0 && product > std::numeric_limits<std::size_t>::max() / dim) {
      throw ShapeMismatch("shape " + to_string() + ": the number of elements overflows");
    }
    product *= dim;
  }
  return product;
}

std::size_t Shape::rows() const { return rank_ == 0 ? 0 : Shape(dims().first(rank_ - 1)).numel(); }

std::string Shape::to_string() const {
  std::string text = "[";
  for (std::size_t i = 0; i < rank_; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dims_[i]);
  }
  return text + "]";
}

TensorView::TensorView(const void* data, DType dtype, const Shape& shape, std::size_t row_stride)
    : data_(data),
      shape_(shape),
      rows_(shape.rows()),
      row_stride_(row_stride == 0 ? shape.columns() : row_stride),
      dtype_(dtype) {
  if (row_stride_ < shape_.columns()) {
    throw ShapeMismatch(message("tensor ", shape_.to_string(),
                                ": expected a row stride of at least ", shape_.columns(),
                                ", found ", row_stride_));
  }
}

}  // namespace bitnet
