// SPDX-License-Identifier: MIT
// NEON with dot products: Armv8.2 on (Cortex-A55, A75, A76, Neoverse N1, Apple M1).
#include "kernels/neon_dotprod-inl.h"

namespace bitnet::kernels {
namespace {

std::uint64_t dot_probe(std::size_t rounds) {
  constexpr std::size_t kChains = 16;
  const int8x16_t digits = vdupq_n_s8(1);
  int32x4_t sums[kChains] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (int32x4_t& sum : sums) {
      sum = vdotq_s32(sum, digits, digits);
      asm volatile("" : "+w"(sum));  // keep each chain, and each of its rounds
    }
  }
  return rounds * kChains * 16;
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/kernel_table-inl.h"
#include "kernels/table_gemm-inl.h"

namespace bitnet::kernels {
// Tables cost as many instructions as this (docs/performance.md): they wait for a machine that
// shows whether their loads are cheaper.
constinit const KernelTable kNeonDotprodTable =
    with_table_gemm(make_table("neon-dotprod", Isa::neon), kNeverByTables);
}  // namespace bitnet::kernels
