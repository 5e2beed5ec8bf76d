// SPDX-License-Identifier: MIT
// Shape and TensorView. Oracle: products and offsets worked out by hand.
#include <bitnet/error.h>
#include <bitnet/tensor.h>
#include <gtest/gtest.h>

#include <limits>

namespace bitnet {
namespace {

TEST(Shape, CountsElementsRowsAndColumns) {
  const Shape shape{2, 16, 128};
  EXPECT_EQ(shape.rank(), 3U);
  EXPECT_EQ(shape[1], 16U);
  EXPECT_EQ(shape.numel(), 4096U);
  EXPECT_EQ(shape.rows(), 32U);
  EXPECT_EQ(shape.columns(), 128U);
  EXPECT_EQ(shape.to_string(), "[2, 16, 128]");
  EXPECT_EQ((Shape{7}).rows(), 1U);
  EXPECT_EQ((Shape{0, 5}).numel(), 0U);
}

TEST(Shape, RankZeroIsOneElementWithoutRows) {
  const Shape shape;
  EXPECT_EQ(shape.rank(), 0U);
  EXPECT_EQ(shape.numel(), 1U);
  EXPECT_EQ(shape.rows(), 0U);
  EXPECT_EQ(shape.columns(), 0U);
  EXPECT_EQ(shape.to_string(), "[]");
}

TEST(Shape, EqualityComparesDimensions) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 0}));
}

TEST(Shape, TooManyDimensionsOrElementsAreErrors) {
  EXPECT_EQ((Shape{1, 2, 3, 4, 5, 6, 7, 8}).numel(), 40320U);
  EXPECT_THROW((Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}), ShapeMismatch);
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  EXPECT_THROW((void)(Shape{huge, 2}).numel(), ShapeMismatch);
  EXPECT_THROW((void)(Shape{2, huge, 1}).rows(), ShapeMismatch);
  EXPECT_EQ((Shape{huge}).numel(), huge);
}

TEST(TensorView, FindsRowsThroughTheStride) {
  const float values[20] = {};
  const TensorView view(values, Shape{2, 2, 3}, 5);
  EXPECT_EQ(view.rows(), 4U);
  EXPECT_EQ(view.columns(), 3U);
  EXPECT_EQ(view.row_stride(), 5U);
  EXPECT_EQ(view.row(3), values + 15);
  EXPECT_EQ(view.dtype(), DType::f32);

  const Float16 halves[6] = {};
  EXPECT_EQ(TensorView(halves, Shape{2, 3}).dtype(), DType::f16);
  EXPECT_EQ(TensorView(halves, Shape{2, 3}).row(1), halves + 3);
  const BFloat16 brains[6] = {};
  EXPECT_EQ(TensorView(brains, Shape{2, 3}).dtype(), DType::bf16);
}

TEST(TensorView, RowsThatOverlapAreErrors) {
  const float values[20] = {};
  EXPECT_THROW(TensorView(values, Shape{2, 3}, 2), ShapeMismatch);
  EXPECT_NO_THROW(TensorView(values, Shape{2, 3}, 3));
}

TEST(Tensor, ViewsItsOwnData) {
  const Tensor tensor{{1, 2, 3, 4}, Shape{2, 2}};
  EXPECT_EQ(tensor.view().row(1), &tensor.data[2]);
  EXPECT_EQ(tensor.view().shape(), (Shape{2, 2}));
}

}  // namespace
}  // namespace bitnet
