// SPDX-License-Identifier: MIT
// oneDNN makes its code for the CPU it meets; Debian's OpenBLAS takes its oldest kernels on CPUs
// that it does not know by name.
//
// That code (seen with 2.6) has no stack to run a signal handler on: one that runs meanwhile
// overwrites the heap. A program with handlers blocks their signals on the threads that compute.
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
