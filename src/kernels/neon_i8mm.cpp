// SPDX-License-Identifier: MIT
// NEON with dot products and 8-bit matrix products (Armv8.6; Neoverse V1, N2, Apple M2 and later).
// usmmla multiplies two rows by two tokens over eight inputs, 32 multiply-adds where sdot has 16;
// a lone token, which would waste half of them, stays with sdot.
#include "kernels/neon_dotprod-inl.h"

namespace bitnet::kernels {
namespace {

/// What one pass decodes: whole steps whose fields go in pairs, and rows such that their digits and
/// the sums of kMaxTokens tokens fit the 32 registers.
///   t2:  1 step  of 8 rows:  8 digit registers, 16 sums
///   t16: 2 steps of 4 rows: 10 digit registers,  8 sums
template <TileLayout layout>
inline constexpr std::size_t kPassSteps = layout == TileLayout::t2 ? 1 : 2;
template <TileLayout layout>
inline constexpr std::size_t kPassRows = layout == TileLayout::t2 ? 8 : 4;

/// Two rows' digits of two fields, which are eight consecutive inputs: zipping the dwords of fields
/// 2 j and 2 j + 1 gives those of rows 0 and 1, and of rows 2 and 3.
template <std::size_t pairs>
struct RowPairs {
  uint8x16_t of[pairs][2];
};

/// The digits of 4 rows in `steps` steps. Without a partner, a last field is paired with zeros.
template <TileLayout layout, std::size_t steps>
inline auto decode_pairs(const std::uint8_t* bytes) {
  constexpr std::size_t kFields = TileGeometry<layout>::kFields;
  constexpr std::size_t kPairs = (steps * kFields + 1) / 2;
  uint32x4_t fields[2 * kPairs];
  fields[2 * kPairs - 1] = vdupq_n_u32(0);
  for (std::size_t step = 0; step < steps; ++step) {
    const Trits<layout> trits = decode<layout>(bytes + step * kPanelStepBytes);
    for (std::size_t i = 0; i < kFields; ++i) {
      fields[step * kFields + i] = vreinterpretq_u32_u8(trits.field[i]);
    }
  }
  RowPairs<kPairs> digits;
  for (std::size_t j = 0; j < kPairs; ++j) {
    digits.of[j][0] = vreinterpretq_u8_u32(vzip1q_u32(fields[2 * j], fields[2 * j + 1]));
    digits.of[j][1] = vreinterpretq_u8_u32(vzip2q_u32(fields[2 * j], fields[2 * j + 1]));
  }
  return digits;
}

/// Eight inputs' codes of two tokens to a register; behind 20 inputs' last four come zeros.
template <std::size_t inputs>
inline void pair_codes(const std::int8_t* first, const std::int8_t* second,
                       int8x16_t (&pairs)[(inputs + 7) / 8]) {
  for (std::size_t j = 0; j < inputs / 16; ++j) {
    const int64x2_t a = vreinterpretq_s64_s8(vld1q_s8(first + 16 * j));
    const int64x2_t b = vreinterpretq_s64_s8(vld1q_s8(second + 16 * j));
    pairs[2 * j] = vreinterpretq_s8_s64(vzip1q_s64(a, b));
    pairs[2 * j + 1] = vreinterpretq_s8_s64(vzip2q_s64(a, b));
  }
  constexpr std::size_t kRest = inputs % 16;
  if constexpr (kRest != 0) {
    std::uint64_t rest[2] = {};
    __builtin_memcpy(&rest[0], first + inputs - kRest, kRest);
    __builtin_memcpy(&rest[1], second + inputs - kRest, kRest);
    pairs[2 * (inputs / 16)] = vcombine_s8(vcreate_s8(rest[0]), vcreate_s8(rest[1]));
  }
}

/// acc[2 v + h][p] += rows 4 v + 2 h and the next times tokens 2 p and 2 p + 1; the partner that an
/// odd last token lacks is itself.
template <TileLayout layout, std::size_t M, std::size_t steps, std::size_t row_pairs>
inline void add_steps(const std::uint8_t* bytes, const std::int8_t* codes, std::size_t stride,
                      int32x4_t (&acc)[row_pairs][(M + 1) / 2]) {
  constexpr std::size_t kInputs = steps * TileGeometry<layout>::kStepInputs;
  constexpr std::size_t kPairs = (kInputs + 7) / 8;
  RowPairs<kPairs> digits[row_pairs / 2];
  for (std::size_t v = 0; v < row_pairs / 2; ++v) {
    digits[v] = decode_pairs<layout, steps>(bytes + v * 4 * kRowLanes);
  }
  for (std::size_t p = 0; p < (M + 1) / 2; ++p) {
    const std::int8_t* first = codes + 2 * p * stride;
    const std::int8_t* second = 2 * p + 1 < M ? first + stride : first;
    int8x16_t both[kPairs];
    pair_codes<kInputs>(first, second, both);
    for (std::size_t j = 0; j < kPairs; ++j) {
      for (std::size_t pair = 0; pair < row_pairs; ++pair) {
        acc[pair][p] = vusmmlaq_s32(acc[pair][p], digits[pair / 2].of[j][pair % 2], both[j]);
      }
    }
  }
}

/// As simd_accumulate-inl.h has it for one token.
template <TileLayout layout, std::size_t M>
requires(M >= 2) inline void accumulate(const std::uint8_t* panel, std::size_t first_input,
                                        std::size_t inputs, const std::int8_t* codes,
                                        std::size_t stride, std::size_t /*prefetch*/,
                                        std::int32_t (*sums)[kPanelRows]) {
  constexpr std::size_t kStepInputs = TileGeometry<layout>::kStepInputs;
  constexpr std::size_t kSteps = kPassSteps<layout>;
  constexpr std::size_t kRowPairs = kPassRows<layout> / 2;
  const std::size_t steps = inputs / kStepInputs;
  panel += first_input / kStepInputs * kPanelStepBytes;
  codes += first_input;
  for (std::size_t row = 0; row < kPanelRows; row += kPassRows<layout>) {
    int32x4_t acc[kRowPairs][(M + 1) / 2] = {};
    const std::uint8_t* bytes = panel + 4 * row;
    std::size_t step = 0;
    for (; step + kSteps <= steps; step += kSteps) {
      add_steps<layout, M, kSteps>(bytes + step * kPanelStepBytes, codes + step * kStepInputs,
                                   stride, acc);
    }
    for (; step < steps; ++step) {
      add_steps<layout, M, 1>(bytes + step * kPanelStepBytes, codes + step * kStepInputs, stride,
                              acc);
    }
    for (std::size_t m = 0; m < M; ++m) {
      for (std::size_t pair = 0; pair < kRowPairs; pair += 2) {
        const int32x4_t low = acc[pair][m / 2];  // row 0: tokens 0, 1; row 1: tokens 0, 1
        const int32x4_t high = acc[pair + 1][m / 2];
        vst1q_s32(sums[m] + row + 2 * pair,
                  m % 2 == 0 ? vuzp1q_s32(low, high) : vuzp2q_s32(low, high));
      }
    }
  }
}

std::uint64_t dot_probe(std::size_t rounds) {
  constexpr std::size_t kChains = 16;
  const uint8x16_t digits = vdupq_n_u8(1);
  int32x4_t sums[kChains] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    for (int32x4_t& sum : sums) {
      sum = vusmmlaq_s32(sum, digits, vreinterpretq_s8_u8(digits));
      asm volatile("" : "+w"(sum));  // keep each chain, and each of its rounds
    }
  }
  return rounds * kChains * 32;
}

}  // namespace
}  // namespace bitnet::kernels

#include "kernels/kernel_table-inl.h"
#include "kernels/table_gemm-inl.h"

namespace bitnet::kernels {
// Tables cost as many instructions as this (docs/performance.md): they wait for a machine that
// shows whether their loads are cheaper.
constinit const KernelTable kNeonI8mmTable =
    with_table_gemm(make_table("neon-i8mm", Isa::neon), kNeverByTables);
}  // namespace bitnet::kernels
