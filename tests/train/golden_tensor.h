// SPDX-License-Identifier: MIT
// Tensors of golden files as libtorch's.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "reference/golden_file.h"

namespace bitnet::train {

inline torch::Tensor to_torch(const reference::GoldenTensor& golden) {
  const std::vector<std::int64_t> shape(golden.shape.begin(), golden.shape.end());
  if (golden.dtype == "F64") {
    return torch::tensor(golden.values<double>(), torch::kFloat64).view(shape);
  }
  if (golden.dtype == "I32") {
    return torch::tensor(golden.values<std::int32_t>(), torch::kInt32).view(shape);
  }
  return torch::tensor(golden.floats(), torch::kFloat32).view(shape);
}

/// max|found - expected| <= tolerance * max|expected|
inline void expect_close(const torch::Tensor& found, const torch::Tensor& expected,
                         double tolerance, const char* what) {
  ASSERT_TRUE(found.defined()) << what;
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  const double largest = expected.abs().max().item<double>();
  const double apart =
      (found.to(torch::kFloat64) - expected.to(torch::kFloat64)).abs().max().item<double>();
  EXPECT_LE(apart, tolerance * largest) << what << ", largest " << largest;
}

}  // namespace bitnet::train
