// SPDX-License-Identifier: MIT
// The contract of the kernels: one struct of function pointers per ISA variant.
//
// Every function is noexcept in effect, allocates nothing, starts no threads, and needs no
// alignment. Results are bit-equal for every table: integers are exact, float operations are single
// correctly rounded IEEE operations in the order stated here (fused multiply-add only where it
// says so).
//
// Legend: T tokens, N rows of W (out_features), K inputs.
#pragma once

#include <bitnet/config.h>
#include <bitnet/runtime.h>
#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bitnet::kernels {

/// code = clamp(round(divide ? x / step : x * step), -qmax, qmax)
struct CodeRule {
  float step;  ///< the scale (divide) or the inverse scale (multiply); positive, finite
  Scaling scaling;
  Rounding rounding;
  int qmax;  ///< 1..127
};

/// The product of packed weights W [N, K] and codes a [T, K]:
///   S[t, n]    = Σ_k a[t, k] * w[n, k]          = Σ_k a * (w + 1) - Σ_k a
///   S[t, g, n] = the same over the inputs of group g only
///   y[t, n]    = (float(S[t, n]) * activation_scale[t]) * weight_scale[n] + bias[n]
///   y[t, n]    = (Σ_g float(S[t, g, n]) * weight_scale[n, g], g ascending from 0.0) *
///                activation_scale[t] + bias[n]
struct TernaryGemm {
  const std::uint8_t* tiles;  ///< panels of 32 rows (src/ternary/tile_layout.h)
  std::size_t rows;           ///< N
  std::size_t steps;          ///< per panel
  std::size_t groups;         ///< scales per row; 1 unless grouped
  std::size_t group_inputs;   ///< inputs per group; grouped kernels only
  std::size_t prefetch;       ///< tiles this many bytes ahead are asked for; 0: none
  std::size_t unpack_once;    ///< tokens from which on digits may be unpacked once; 0: never

  const std::int8_t* codes;  ///< [T, code_stride], zero from K to steps * step_inputs
  std::size_t code_stride;
  const std::int32_t* code_sums;  ///< [T, groups]: Σ a over each group

  std::int32_t* sums;  ///< [T, N], grouped [T, groups, N]; or nullptr, then:
  float* out;          ///< [T, N]
  const float* activation_scales;
  std::size_t activation_scale_step;  ///< 1: [T], 0: [1]
  const float* weight_scales;         ///< [1], [panels * 32] or [panels, groups, 32]
  std::size_t weight_scale_step;      ///< 1: a scale per row, 0: one for all (ungrouped only)
  const float* bias;                  ///< [N] or nullptr
};

/// The block of a TernaryGemm that one call computes.
struct GemmBlock {
  std::size_t first_panel, last_panel;
  std::size_t first_token, last_token;
};

struct TableScratch;  // table_scratch.h

/// 64 numbers in fixed point: x[i] = scale * (2^14 high[i] + 2^7 middle[i] + low[i]).
struct FixedPointInputs {
  static constexpr std::size_t kCount = 64;
  static constexpr int kDigitBits = 7;
  static constexpr std::int32_t kLargest = 127 << 2 * kDigitBits;  ///< |x| / scale

  alignas(64) std::int8_t high[kCount];         ///< -127..127
  std::int8_t middle[kCount], low[kCount];      ///< 0..127
  std::int32_t minus_32_high_sums[kCount / 4];  ///< -32 times the sum of four neighbours' high
};

/// The same numbers for 16-bit products: of even inputs, of odd ones.
struct FixedPointWords {
  alignas(64) std::int16_t high[2][FixedPointInputs::kCount / 2];
  std::int16_t lower[2][FixedPointInputs::kCount / 2];  ///< 2^7 middle + low
};

/// Vectors [count, n], n a multiple of 256.
struct FixedPointVectors {
  const FixedPointInputs* inputs;  ///< [count, n / 64]
  const FixedPointWords* words;    ///< [n / 256, count, 4]; nothing for a lone vector
  const float* scales;             ///< [count]
  std::size_t count, n;
};

/// [first, last) of a page.
struct PagePositions {
  std::size_t first, last;
};

/// Attention of rows, each one token's query head, on one page of the KV head that they share. Rows
/// of queries and out are `stride` floats apart: head_dim rounded up to 16, zero behind head_dim.
///   s[r, j] = (Σ_d q[r, d] * k[d, j]) * key_scale[j]
///   m[r] = max_j s[r, j];  w[r, j] = exp(s[r, j] - m[r]);  l[r] = Σ_j w[r, j], lanes as
///   sum_squares o[r, d] = Σ_j (w[r, j] * value_scale[j]) * v[j, d]
/// over the positions j that row r sees. The sums over d and j go in runs that end at multiples of
/// kRun: each run ascending from +0 by fused multiply-adds, then the runs' sums likewise by
/// additions. What a page gives is merged with what the pages before gave (FlashAttention's
/// rescaling, arXiv 2205.14135): M' = max(M, m), L' = L * exp(M
/// - M') + l * exp(m - M'), O' likewise. The products with scales are left out when there are none.
struct AttentionPage {
  static constexpr std::size_t kPositions = 64;
  static constexpr std::size_t kRun = 16;

  const float* queries;  ///< [R, stride], times the softmax scale
  std::size_t rows;      ///< R
  std::size_t head_dim;  ///< D
  std::size_t stride;
  const void* keys;           ///< [D, 64]
  const void* values;         ///< [64, stride]
  const float* key_scales;    ///< [64], or nullptr unless int8
  const float* value_scales;  ///< [64], or nullptr unless int8
  const PagePositions* seen;  ///< [R], at least one position each
  std::size_t prefetch;       ///< keys and values this many bytes ahead are asked for; 0: none
  float* maxima;              ///< [R], -infinity before the first page
  float* totals;              ///< [R], 0 before the first page
  float* out;                 ///< [R, stride], 0 before; divide by totals after the last page
};

struct KernelTable {
  std::string_view name;  ///< variant, for example "avx512-vbmi"
  Isa isa;
  /// For weights that any layout can hold: t16p where byte permutations unpack it (`bitnet bench
  /// --kernels` compares it with t2).
  TileLayout preferred_layout;

  // Conversions. Towards float exact; towards 16 bits round-half-even, NaN stays a quiet NaN with
  // its sign and leading payload bits.
  void (*f16_to_f32)(const std::uint16_t* in, float* out, std::size_t n);
  void (*bf16_to_f32)(const std::uint16_t* in, float* out, std::size_t n);
  void (*f32_to_f16)(const float* in, std::uint16_t* out, std::size_t n);
  void (*f32_to_bf16)(const float* in, std::uint16_t* out, std::size_t n);

  /// max over i of bits(x[i]) & 0x7fffffff: the bits of max|x| when all are finite, at least
  /// 0x7f800000 when one is not. 0 for n = 0.
  std::uint32_t (*absmax_bits)(const float* x, std::size_t n);
  /// Codes of n numbers; returns their sum. Scaled by the rule, each lies within ±2^22. `prefetch`
  /// as in TernaryGemm: with the next row that far behind x, its reads overlap this one's rounding.
  std::int32_t (*quantize)(const float* x, std::size_t n, const CodeRule& rule,
                           std::size_t prefetch, std::int8_t* codes);
  /// out[i] = float(codes[i]) * scale
  void (*dequantize)(const std::int8_t* codes, std::size_t n, float scale, float* out);

  /// Σ x² in float over 16 virtual lanes: lane i adds x[i]², x[i + 16]², ... in turn (a missing
  /// tail adds +0); then lane i += lane i + 8, then + 4, + 2, + 1.
  float (*sum_squares)(const float* x, std::size_t n);
  /// out[i] = (x[i] * factor) * gain[i], without the second product when gain is null; returns
  /// absmax_bits(out).
  std::uint32_t (*normalize)(const float* x, std::size_t n, float factor, const float* gain,
                             float* out);

  // Vectors of a transformer. Inputs are finite. exp is one polynomial for every ISA, within 2 ulp
  // (elementwise-inl.h); arguments beyond ±86 count as ±86.
  /// out[m, r] = Σ_i rows[r, i] * vectors[m, i], lanes as sum_squares, by fused multiply-adds.
  /// rows [row_count, n], vectors [vector_count, n], rows of out `out_stride` floats apart.
  void (*dots)(const float* rows, std::size_t row_count, const float* vectors,
               std::size_t vector_count, std::size_t n, float* out, std::size_t out_stride);
  /// y[i] += x[i]
  void (*add_to)(const float* x, std::size_t n, float* y);
  /// out[i] = exp(x[i] - shift)
  void (*exponentials)(const float* x, std::size_t n, float shift, float* out);
  /// out[i] = f(gate[i]) * up[i] with f(g) = max(g, 0)², g / (1 + exp(-g)), and GELU's tanh form
  /// g / (1 + exp(-2 sqrt(2 / pi) (g + 0.044715 g³))).
  void (*gate_relu2)(const float* gate, const float* up, std::size_t n, float* out);
  void (*gate_silu)(const float* gate, const float* up, std::size_t n, float* out);
  void (*gate_gelu)(const float* gate, const float* up, std::size_t n, float* out);
  /// (x[i], x[i + half]) -> (x[i] cos[i] - x[i + half] sin[i], x[i + half] cos[i] + x[i] sin[i])
  void (*rotate)(float* x, const float* cosines, const float* sines, std::size_t half);
  void (*attend_f32)(const AttentionPage& page);
  void (*attend_f16)(const AttentionPage& page);
  void (*attend_int8)(const AttentionPage& page);

  /// n numbers of a row of GGUF's q8_0 or q6_k blocks (n a multiple of 32, of 256): code * scale,
  /// for q6_k code * (scale * sub-scale).
  void (*q8_0_to_f32)(const std::byte* blocks, std::size_t n, float* out);
  void (*q6_k_to_f32)(const std::byte* blocks, std::size_t n, float* out);
  /// dots of x [n] and `count` rows of q8_0, side by side. `prefetch` as in TernaryGemm.
  void (*dot_q8_0)(const std::byte* rows, std::size_t count, const float* x, std::size_t n,
                   std::size_t prefetch, float* out);
  /// out[m, r] = (the sum of 16 lanes) * scales[m] for rows of q6_k and vectors in fixed point.
  /// With H, M and L the sums of sub-scale * code * digit, in integers, over the high, middle and
  /// low digits of those inputs i of a block that have i mod 64 / 4 = l, lane l becomes
  ///   fma(fma(float(H), 2^14, float(2^7 M + L)), block scale, lane l)
  /// block by block from 0 on; lanes are added as in sum_squares. `prefetch` as in TernaryGemm.
  void (*dot_q6_k)(const std::byte* rows, std::size_t row_count, const FixedPointVectors& vectors,
                   std::size_t prefetch, float* out, std::size_t out_stride);

  /// Σ |w| in double over 16 virtual lanes, as sum_squares. `prefetch` as in TernaryGemm.
  double (*sum_abs)(const float* w, std::size_t n, std::size_t prefetch);
  /// digits[i] = 2 if w >= threshold, 0 if w <= -threshold, else 1 (the trit + 1). threshold > 0.
  /// Returns the number of zero trits.
  std::size_t (*ternarize)(const float* w, std::size_t n, float threshold, std::uint8_t* digits);

  /// One panel from digits [32, digit_stride] (0, 1 or 2; 1 in padding), steps * step_inputs
  /// columns.
  void (*pack_t16)(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
                   std::uint8_t* panel);
  void (*pack_t2)(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
                  std::uint8_t* panel);
  void (*pack_t16p)(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
                    std::uint8_t* panel);
  void (*unpack_t16)(const std::uint8_t* panel, std::size_t steps, std::uint8_t* digits,
                     std::size_t digit_stride);
  void (*unpack_t2)(const std::uint8_t* panel, std::size_t steps, std::uint8_t* digits,
                    std::size_t digit_stride);

  void (*gemm_t16)(const TernaryGemm& gemm, const GemmBlock& block);
  void (*gemm_t2)(const TernaryGemm& gemm, const GemmBlock& block);
  /// nullptr without byte permutations: gemm_kernel has what stands in.
  void (*gemm_t16p)(const TernaryGemm& gemm, const GemmBlock& block);
  /// Group scales. group_inputs is a multiple of 16, except in the scalar table, which takes any.
  void (*gemm_t2_grouped)(const TernaryGemm& gemm, const GemmBlock& block);

  /// A panel of 4-bit codes (nibble tiles, tile_layout.h) times two vectors of steps * 8 digits:
  ///   high_sums[r] = Σ_k code(r, k) * high[k],  low_sums[r] = Σ_k code(r, k) * low[k]
  /// for the panel's 32 rows. `prefetch` as in TernaryGemm.
  void (*nibble_dot)(const std::uint8_t* panel, std::size_t steps, const std::int8_t* high,
                     const std::int8_t* low, std::size_t prefetch, std::int32_t* high_sums,
                     std::int32_t* low_sums);
  /// The same products by table lookup, in part or all, where that pays: alike in every bit. A
  /// block of any size; tokens are served by kTableTokens at a time, so that a few cost as much as
  /// all. nullptr where multiplying is always faster.
  void (*table_gemm_t16)(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch);
  void (*table_gemm_t2)(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch);
  void (*table_gemm_t16p)(const TernaryGemm& gemm, const GemmBlock& block, TableScratch& scratch);
  /// From how many of kTableTokens tokens on they are chosen (docs/performance.md); kNeverByTables:
  /// not until a machine shows that they are faster.
  std::size_t table_gemm_least_tokens;
  /// Panels of one call: enough to pay for the tables that they share, and not more than one pass
  /// serves.
  struct {
    std::size_t least, most;
  } table_gemm_panels;

  // Probes of the machine (diagnostics.h).
  /// Reads n bytes (a multiple of 256) as fast as loads go; the value only keeps the reads alive.
  std::uint64_t (*read_probe)(const void* memory, std::size_t n);
  /// Runs `rounds` rounds of independent int8 dot products in registers; returns the MACs done.
  std::uint64_t (*dot_probe)(std::size_t rounds);
};

/// Tables that this build holds and this CPU can run, worst first; the first is the scalar
/// reference. Null-terminated array of static storage.
const KernelTable* const* runnable_tables();
/// The best table of an ISA on this CPU, or nullptr.
const KernelTable* find_table(Isa isa);
/// A table's packer of a layout.
decltype(KernelTable::pack_t2) pack_kernel(const KernelTable& table, TileLayout layout);
/// A table's product of ungrouped weights; the scalar one's where it has none of its own.
decltype(KernelTable::gemm_t2) gemm_kernel(const KernelTable& table, TileLayout layout);
/// A table's product of ungrouped weights by table lookup; nullptr where this CPU gains nothing by
/// it.
decltype(KernelTable::table_gemm_t2) table_gemm_kernel(const KernelTable& table, TileLayout layout);
/// TernaryGemm::prefetch for this CPU.
std::size_t tile_prefetch();
/// The same for rows of blocks that follow each other.
std::size_t row_prefetch();
/// Whether quantizing a row of floats should ask for the next one.
bool next_row_prefetch_pays();
/// TernaryGemm::unpack_once for this CPU.
std::size_t tokens_to_unpack_once();

// One per ISA file: its only external symbol.
extern const KernelTable kScalarTable;
extern const KernelTable kAvx2Table;
extern const KernelTable kAvx512VnniTable;
extern const KernelTable kAvx512VbmiTable;
extern const KernelTable kNeonTable;
extern const KernelTable kNeonDotprodTable;
extern const KernelTable kNeonI8mmTable;

}  // namespace bitnet::kernels
