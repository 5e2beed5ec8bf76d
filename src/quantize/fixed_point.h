// SPDX-License-Identifier: MIT
// Vectors of floats in fixed point: 22 bits of each vector's largest magnitude, as digits that
// integer dot products take (KernelTable::dot_q6_k).
#pragma once

#include <cstddef>
#include <vector>

#include "base/aligned_vector.h"
#include "kernels/kernel_table.h"

namespace bitnet {

class FixedPointMatrix {
 public:
  /// Of x [rows, columns], columns a multiple of 256:
  ///   scale[r] = max(max |x[r]|, 2^-100) / (127 * 2^14),  number[r, k] = round(x[r, k] / scale[r])
  /// half to even. So each lies within max |x[r]| * 2^-21.9 of its x. A row that holds a NaN or an
  /// infinity has NaN for a scale.
  void assign(const float* x, std::size_t rows, std::size_t columns);

  /// All rows, or one of them, while this stays as it is.
  kernels::FixedPointVectors vectors() const {
    return {inputs_.data(), words_.data(), scales_.data(), scales_.size(), columns_};
  }
  kernels::FixedPointVectors row(std::size_t r) const {
    constexpr std::size_t kInputs = kernels::FixedPointInputs::kCount;
    return {inputs_.data() + r * columns_ / kInputs, nullptr, scales_.data() + r, 1, columns_};
  }

 private:
  /// Of row r; `magnitude` max |x|, finite.
  void encode(std::size_t r, const float* x, float magnitude);

  std::size_t columns_ = 0;
  AlignedVector<kernels::FixedPointInputs> inputs_;
  AlignedVector<kernels::FixedPointWords> words_;
  std::vector<float> scales_;
};

}  // namespace bitnet
