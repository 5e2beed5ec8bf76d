// SPDX-License-Identifier: MIT
// AVX-512 with VNNI but without VBMI: Intel Cascade Lake and Cooper Lake.
#include "kernels/avx512-inl.h"

namespace bitnet::kernels {
constinit const KernelTable kAvx512VnniTable =
    with_unpacked_gemm(with_q6_k_tiles(make_table("avx512-vnni", Isa::avx512)));
}
