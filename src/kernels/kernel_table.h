// SPDX-License-Identifier: MIT
// The contract of the kernels: one struct of function pointers per ISA variant.
//
// Every function is noexcept in effect, allocates nothing, starts no threads, and needs no
// alignment. Results are bit-equal for every table: integers are exact, float operations are single
// correctly rounded IEEE operations in the order stated here (fused multiply-add is never used).
//
// Legend: T tokens, N rows of W (out_features), K inputs.
#pragma once

#include <bitnet/config.h>
#include <bitnet/runtime.h>

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

struct KernelTable {
  std::string_view name;  ///< variant, for example "avx512-vbmi"
  Isa isa;

  // Conversions. Towards float exact; towards 16 bits round-half-even, NaN stays a quiet NaN with
  // its sign and leading payload bits.
  void (*f16_to_f32)(const std::uint16_t* in, float* out, std::size_t n);
  void (*bf16_to_f32)(const std::uint16_t* in, float* out, std::size_t n);
  void (*f32_to_f16)(const float* in, std::uint16_t* out, std::size_t n);
  void (*f32_to_bf16)(const float* in, std::uint16_t* out, std::size_t n);

  /// max over i of bits(x[i]) & 0x7fffffff: the bits of max|x| when all are finite, at least
  /// 0x7f800000 when one is not. 0 for n = 0.
  std::uint32_t (*absmax_bits)(const float* x, std::size_t n);
  /// Codes of n numbers; returns their sum. Scaled by the rule, each lies within ±2^22.
  std::int32_t (*quantize)(const float* x, std::size_t n, const CodeRule& rule, std::int8_t* codes);
  /// out[i] = float(codes[i]) * scale
  void (*dequantize)(const std::int8_t* codes, std::size_t n, float scale, float* out);

  /// Σ x² in float over 16 virtual lanes: lane i adds x[i]², x[i + 16]², ... in turn (a missing
  /// tail adds +0); then lane i += lane i + 8, then + 4, + 2, + 1.
  float (*sum_squares)(const float* x, std::size_t n);
  /// out[i] = (x[i] * factor) * gain[i], without the second product when gain is null; returns
  /// absmax_bits(out).
  std::uint32_t (*normalize)(const float* x, std::size_t n, float factor, const float* gain,
                             float* out);

  /// Σ |w| in double over 16 virtual lanes, as sum_squares.
  double (*sum_abs)(const float* w, std::size_t n);
  /// digits[i] = 2 if w >= threshold, 0 if w <= -threshold, else 1 (the trit + 1). threshold > 0.
  /// Returns the number of zero trits.
  std::size_t (*ternarize)(const float* w, std::size_t n, float threshold, std::uint8_t* digits);

  /// One panel from digits [32, digit_stride] (0, 1 or 2; 1 in padding), steps * step_inputs
  /// columns.
  void (*pack_t16)(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
                   std::uint8_t* panel);
  void (*pack_t2)(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
                  std::uint8_t* panel);
  void (*unpack_t16)(const std::uint8_t* panel, std::size_t steps, std::uint8_t* digits,
                     std::size_t digit_stride);
  void (*unpack_t2)(const std::uint8_t* panel, std::size_t steps, std::uint8_t* digits,
                    std::size_t digit_stride);

  void (*gemm_t16)(const TernaryGemm& gemm, const GemmBlock& block);
  void (*gemm_t2)(const TernaryGemm& gemm, const GemmBlock& block);
  /// Group scales. group_inputs is a multiple of 16, except in the scalar table, which takes any.
  void (*gemm_t2_grouped)(const TernaryGemm& gemm, const GemmBlock& block);

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

// One per ISA file: its only external symbol.
extern const KernelTable kScalarTable;
extern const KernelTable kAvx2Table;
extern const KernelTable kAvx512VnniTable;
extern const KernelTable kAvx512VbmiTable;
extern const KernelTable kNeonTable;

}  // namespace bitnet::kernels
