// SPDX-License-Identifier: MIT
#include "quantize/row_loop.h"

#include <bitnet/error.h>

#include <cmath>

#include "kernels/kernel_table.h"

namespace bitnet {

const float* float_row(const TensorView& x, std::size_t row, AlignedVector<float>& scratch,
                       const kernels::KernelTable& kernels) {
  if (x.dtype() == DType::f32) {
    return static_cast<const float*>(x.row(row));
  }
  scratch.resize(x.columns());
  const auto widen = x.dtype() == DType::f16 ? kernels.f16_to_f32 : kernels.bf16_to_f32;
  widen(static_cast<const std::uint16_t*>(x.row(row)), scratch.data(), x.columns());
  return scratch.data();
}

void throw_if_non_finite(const char* what, const float* values, std::size_t columns,
                         std::size_t row) {
  for (std::size_t column = 0; column < columns; ++column) {
    if (!std::isfinite(values[column])) {
      throw NonFiniteError(what, row, column, values[column]);
    }
  }
}

AlignedVector<float>& row_scratch() {
  thread_local AlignedVector<float> scratch;
  return scratch;
}

AlignedVector<float>& norm_scratch() {
  thread_local AlignedVector<float> scratch;
  return scratch;
}

}  // namespace bitnet
