// SPDX-License-Identifier: MIT
// Shapes, read-only views over memory the caller owns, and the float tensor that results come in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace bitnet {

/// IEEE binary16 and bfloat16 as stored; conversions are exact towards float, round-to-nearest-even
/// back.
struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

enum class DType : std::uint8_t { f32, f16, bf16 };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) { return dtype == DType::f32 ? 4 : 2; }

/// Dimensions, slowest first. Holds up to kMaxRank without allocating; more is a ShapeMismatch.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::size_t> dims)
      : Shape(std::span<const std::size_t>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::size_t> dims);

  std::size_t rank() const { return rank_; }
  std::size_t operator[](std::size_t i) const { return dims_[i]; }
  std::span<const std::size_t> dims() const { return {dims_.data(), rank_}; }
  /// Product of all dimensions, 1 for rank 0. Throws ShapeMismatch when it does not fit size_t.
  std::size_t numel() const;
  /// Last dimension, 0 for rank 0.
  std::size_t columns() const { return rank_ == 0 ? 0 : dims_[rank_ - 1]; }
  /// Product of all dimensions but the last; 0 for rank 0.
  std::size_t rows() const;
  /// "[2, 16, 128]"
  std::string to_string() const;

  friend bool operator==(const Shape& a, const Shape& b) = default;

 private:
  std::array<std::size_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

/// Read-only tensor over the caller's memory; never owns, never copies. The last dimension is
/// contiguous; consecutive rows (all leading dimensions flattened) lie `row_stride` elements apart.
/// The memory must outlive the view and may start at any address that suits the element type.
class TensorView {
 public:
  /// row_stride 0 means contiguous. Throws ShapeMismatch if row_stride is below the last dimension.
  TensorView(const float* data, const Shape& shape, std::size_t row_stride = 0)
      : TensorView(data, DType::f32, shape, row_stride) {}
  TensorView(const Float16* data, const Shape& shape, std::size_t row_stride = 0)
      : TensorView(data, DType::f16, shape, row_stride) {}
  TensorView(const BFloat16* data, const Shape& shape, std::size_t row_stride = 0)
      : TensorView(data, DType::bf16, shape, row_stride) {}
  TensorView(const void* data, DType dtype, const Shape& shape, std::size_t row_stride = 0);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return shape_.columns(); }
  std::size_t row_stride() const { return row_stride_; }
  /// First element of a row.
  const void* row(std::size_t index) const {
    return static_cast<const std::byte*>(data_) + index * row_stride_ * size_of(dtype_);
  }

 private:
  const void* data_;
  Shape shape_;
  std::size_t rows_;
  std::size_t row_stride_;
  DType dtype_;
};

/// Float results, row-major and contiguous.
struct Tensor {
  std::vector<float> data;
  Shape shape;

  TensorView view() const { return TensorView(data.data(), shape); }
};

}  // namespace bitnet
