// SPDX-License-Identifier: MIT
// AVX-512 with VNNI and VBMI: Intel Ice Lake, AMD Zen 4 and later.
#include "kernels/avx512-inl.h"

namespace bitnet::kernels {
namespace {

/// table[x] of each byte x: two permutations see seven bits of it, the eighth chooses.
inline __m512i look_up(const ByteTable& table, __m512i x) {
  const auto* quarter = reinterpret_cast<const __m512i*>(table.bytes);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x),
                                _mm512_permutex2var_epi8(quarter[0], x, quarter[1]),
                                _mm512_permutex2var_epi8(quarter[2], x, quarter[3]));
}

void pack_t16p(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
               std::uint8_t* panel) {
  pack_panel<TileLayout::t16>(digits, digit_stride, steps, panel);
  for (std::size_t i = 0; i < steps * kPanelStepBytes; i += kTileBytes) {
    _mm512_storeu_si512(panel + i, look_up(kT16pOfT16, load_tile(panel + i)));
  }
}

constexpr KernelTable vbmi_table() {
  KernelTable table = with_unpacked_gemm(make_table("avx512-vbmi", Isa::avx512));
  table.preferred_layout = TileLayout::t16p;
  table.pack_t16p = pack_t16p;
  table.gemm_t16p = multiply_block_unpacked<TileLayout::t16p>;
  return table;
}

}  // namespace

constinit const KernelTable kAvx512VbmiTable = vbmi_table();

}  // namespace bitnet::kernels
