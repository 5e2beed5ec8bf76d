// SPDX-License-Identifier: MIT
// AVX-512 with VNNI and VBMI: Intel Ice Lake, AMD Zen 4 and later.
#include "kernels/avx512-inl.h"

namespace bitnet::kernels {
constinit const KernelTable kAvx512VbmiTable =
    with_unpacked_gemm(make_table("avx512-vbmi", Isa::avx512, TileLayout::t16));
}
