// SPDX-License-Identifier: MIT
// oneDNN makes its code for the CPU it meets. Debian's OpenBLAS takes its oldest kernels on CPUs
// that it does not know by name: a fifth of the speed on an Emerald Rapids (docs/training.md).
#include <oneapi/dnnl/dnnl.h>

#include <bitnet/error.h>

#include "base/message.h"
#include "functional/matrix_product.h"

namespace bitnet::train {

void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const FloatOperand& a,
           const FloatOperand& b, float beta, float* c, std::int64_t c_stride) {
  const dnnl_status_t status =
      dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data,
                 a.stride, b.data, b.stride, beta, c, c_stride);
  if (status != dnnl_success) {
    throw Error(message("dnnl_sgemm: expected success for a product of [", m, ", ", k, "] and [", k,
                        ", ", n, "], found status ", static_cast<int>(status)));
  }
}

}  // namespace bitnet::train
