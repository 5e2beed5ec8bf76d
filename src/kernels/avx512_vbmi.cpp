// SPDX-License-Identifier: MIT
// AVX-512 with VNNI and VBMI: Intel Ice Lake, AMD Zen 4 and later.
#include "kernels/avx512-inl.h"
#include "kernels/token_columns-inl.h"

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

// Products by table lookup: 32 tokens.
struct Words {
  __m512i v;
};
inline Words load(const std::int16_t* p) { return {_mm512_load_si512(p)}; }
inline void store(std::int16_t* p, Words x) { _mm512_store_si512(p, x.v); }
inline Words zero_words() { return {_mm512_setzero_si512()}; }
inline Words add(Words a, Words b) { return {_mm512_add_epi16(a.v, b.v)}; }
inline Words subtract(Words a, Words b) { return {_mm512_sub_epi16(a.v, b.v)}; }
inline Words magnitudes(Words x) { return {_mm512_abs_epi16(x.v)}; }
inline bool any_negative(Words x) { return _mm512_movepi16_mask(x.v) != 0; }
inline void add_words(std::int32_t* sums, Words x) {
  const __m256i halves[2] = {_mm512_castsi512_si256(x.v), _mm512_extracti64x4_epi64(x.v, 1)};
  for (int i = 0; i < 2; ++i) {
    std::int32_t* p = sums + 16 * i;
    _mm512_store_si512(p, _mm512_add_epi32(_mm512_load_si512(p), _mm512_cvtepi16_epi32(halves[i])));
  }
}

inline void load_transposed(const std::int8_t* const (&rows)[kTableTokens], std::size_t first,
                            Words* x) {
  __m256i columns[16];
  load_columns(rows, first, columns);
  for (std::size_t k = 0; k < 16; ++k) x[k] = {_mm512_cvtepi8_epi16(columns[k])};
}

/// The trits of a byte in base 3.
template <TileLayout layout>
constexpr unsigned base_3(unsigned byte) {
  switch (layout) {
    case TileLayout::t16:
      return byte;
    case TileLayout::t16p:
      return kT16OfT16p.bytes[byte];
    case TileLayout::t2:
      return (byte & 3) + 3 * (byte >> 2 & 3) + 9 * (byte >> 4 & 3) + 27 * (byte >> 6);
  }
}
template <TileLayout layout>
constexpr ByteTable kEntryOfByte = [] {
  ByteTable table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    table.bytes[byte] = static_cast<std::uint8_t>(base_3<layout>(byte) % kTableEntries);
  }
  return table;
}();
template <TileLayout layout>
constexpr ByteTable kTopFieldOfByte = [] {
  ByteTable table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    table.bytes[byte] = static_cast<std::uint8_t>(base_3<layout>(byte) / kTableEntries);
  }
  return table;
}();

template <TileLayout layout>
inline void find_entries(const std::uint8_t* step_bytes, TableEntries& entries) {
  for (std::size_t row = 0; row < kPanelRows; row += kTileRows) {
    const __m512i packed = load_tile(step_bytes + 4 * row);
    const __m512i of_bytes = look_up(kEntryOfByte<layout>, packed);
    __m512i of_top_fields = _mm512_setzero_si512();
    if constexpr (layout != TileLayout::t2) {
      // A row's four digits times 1, 3, 9, 27.
      const __m512i digits = look_up(kTopFieldOfByte<layout>, packed);
      const __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi32(0x1b090301));
      of_top_fields = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
    }
    std::uint64_t* words = entries.of_row + row;
    _mm512_store_si512(words, interleave_low({of_bytes}, {of_top_fields}).v);
    _mm512_store_si512(words + 8, interleave_high({of_bytes}, {of_top_fields}).v);
  }
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/mixed_gemm-inl.h"

namespace bitnet::kernels {
namespace {

constexpr KernelTable vbmi_table() {
  KernelTable table =
      with_mixed_gemm(with_unpacked_gemm(with_q6_k_tiles(make_table("avx512-vbmi", Isa::avx512))));
  table.preferred_layout = TileLayout::t16p;
  table.pack_t16p = pack_t16p;
  table.gemm_t16p = multiply_block_unpacked<TileLayout::t16p>;
  return table;
}

}  // namespace

constinit const KernelTable kAvx512VbmiTable = vbmi_table();

}  // namespace bitnet::kernels
