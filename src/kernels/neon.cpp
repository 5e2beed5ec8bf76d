// SPDX-License-Identifier: MIT
// NEON as every 64-bit Arm has it (Cortex-A53, A57, A72): no dot products.
#include "kernels/neon-inl.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kMaxTokens = 4;

/// Products of one register of digits, byte by byte.
struct ByteProducts {
  int16x8_t low = vdupq_n_s16(0);   // rows 0 and 1
  int16x8_t high = vdupq_n_s16(0);  // rows 2 and 3
};
inline void add_products(ByteProducts& sums, uint8x16_t digits, int8x16_t codes) {
  const int8x16_t signed_digits = vreinterpretq_s8_u8(digits);
  sums.low = vmlal_s8(sums.low, vget_low_s8(signed_digits), vget_low_s8(codes));
  sums.high = vmlal_high_s8(sums.high, signed_digits, codes);
}
/// Adds a row's four bytes. A product is at most 2 * 128 (a nibble's 15 * 128); the ten of five
/// fields (four of two) that meet in one lane stay within int16.
inline int32x4_t add_rows(int32x4_t sums, const ByteProducts& products) {
  return vpadalq_s16(sums, vpaddq_s16(products.low, products.high));
}

inline int8x16_t broadcast_codes(const std::int8_t* codes) {
  std::int32_t four;
  __builtin_memcpy(&four, codes, sizeof four);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

template <TileLayout layout>
inline void dot(RowSums (&sums)[kRegistersAtOnce], const Trits<layout> (&trits)[kRegistersAtOnce],
                const std::int8_t* codes) {
  ByteProducts products[kRegistersAtOnce];
  const auto add_field = [&](std::size_t i) {
    const int8x16_t four = broadcast_codes(codes + 4 * i);
    for (std::size_t v = 0; v < kRegistersAtOnce; ++v) {
      add_products(products[v], trits[v].field[i], four);
    }
  };
  // Clang 14 leaves a loop over the fields, and the digits in memory.
  add_field(0);
  add_field(1);
  add_field(2);
  add_field(3);
  if constexpr (layout == TileLayout::t16) {
    add_field(4);
  }
  for (std::size_t v = 0; v < kRegistersAtOnce; ++v) {
    sums[v].v = add_rows(sums[v].v, products[v]);
  }
}

inline void add_nibbles(RowSums& sums, const Nibbles& nibbles, const std::int8_t* codes) {
  ByteProducts products;
  add_products(products, nibbles.field[0], broadcast_codes(codes));
  add_products(products, nibbles.field[1], broadcast_codes(codes + 4));
  sums.v = add_rows(sums.v, products);
}

// Products of at most 32 * 127: int16 holds sums of four.
inline void add_products(RowSums& high, RowSums& middle, RowSums& low, const SixBits& bits,
                         const FixedPointInputs& x, std::size_t part) {
  const auto add_quads = [](int32x4_t sum, int8x16_t codes, int8x16_t digits, std::int32_t scale) {
    ByteProducts products;
    add_products(products, vreinterpretq_u8_s8(codes), digits);
    return vmlaq_n_s32(sum, add_rows(vdupq_n_s32(0), products), scale);
  };
  add_products_by(add_quads, high, middle, low, bits, x, part);
}

// Products of five fields, then widened: the best that this ISA offers.
std::uint64_t dot_probe(std::size_t rounds) {
  constexpr std::size_t kChains = 8;
  constexpr std::size_t kFields = 5;
  const uint8x16_t digits = vdupq_n_u8(1);
  int32x4_t sums[kChains] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (int32x4_t& sum : sums) {
      ByteProducts products;
      for (std::size_t i = 0; i < kFields; ++i) {
        add_products(products, digits, vreinterpretq_s8_u8(digits));
        asm volatile("" : "+w"(products.low), "+w"(products.high));  // keep each product
      }
      sum = add_rows(sum, products);
    }
  }
  for (int32x4_t& sum : sums) asm volatile("" : "+w"(sum));
  return rounds * kChains * kFields * 16;
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/nibble_dot-inl.h"
#include "kernels/simd_accumulate-inl.h"

// The vocabulary above, put to use.
#include "kernels/kernel_table-inl.h"
#include "kernels/table_gemm-inl.h"

namespace bitnet::kernels {
// Tables from 20 tokens on, counted in instructions (docs/performance.md). A row and step of t2
// costs 135 / 32 = 4.2 a token to multiply. By tables it costs about 50 for all 32 tokens, and its
// share of building them, 4 tables of 81 entries in four registers, an addition and a store each,
// and two transpositions: 3000 by 128 rows, the fewest. (50 + 24) / 4.2 = 18.
constinit const KernelTable kNeonTable = with_table_gemm(make_table("neon", Isa::neon), 20);
}  // namespace bitnet::kernels
