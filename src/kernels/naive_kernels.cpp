// SPDX-License-Identifier: MIT
#include "kernels/naive_kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/naive_transformer.h"
#include "ternary/permuted_trits.h"
#include "ternary/tile_layout.h"

namespace bitnet::kernels {
namespace {

// A 16-bit float: an exponent field over mantissa_bits, numbers below 2^min_exponent spaced evenly.
struct HalfFormat {
  int mantissa_bits;
  int min_exponent;
};
constexpr HalfFormat kFloat16 = {10, -14};
constexpr HalfFormat kBFloat16 = {7, -126};

constexpr std::uint32_t infinity_bits(HalfFormat format) {
  return 0x8000U - (1U << format.mantissa_bits);
}

// NaN payloads keep their leading bits, left-aligned in both widths.
float widen_nan(std::uint32_t half, HalfFormat format, std::uint32_t quiet) {
  const std::uint32_t payload = (half & ((1U << format.mantissa_bits) - 1))
                                << (23 - format.mantissa_bits);
  return std::bit_cast<float>((half & 0x8000U) << 16 | 0x7f800000U | quiet | payload);
}

float widen(std::uint32_t half, HalfFormat format, std::uint32_t quiet) {
  const std::uint32_t magnitude = half & 0x7fffU;
  if (magnitude > infinity_bits(format)) {
    return widen_nan(half, format, quiet);
  }
  const int exponent = static_cast<int>(magnitude >> format.mantissa_bits);
  const int mantissa = static_cast<int>(magnitude & ((1U << format.mantissa_bits) - 1));
  const int leading = exponent == 0 ? 0 : 1 << format.mantissa_bits;
  const int scale = std::max(exponent, 1) - 1 + format.min_exponent - format.mantissa_bits;
  const float value = magnitude == infinity_bits(format)
                          ? std::numeric_limits<float>::infinity()
                          : static_cast<float>(std::ldexp(leading + mantissa, scale));
  return (half & 0x8000U) != 0 ? -value : value;
}

std::uint16_t narrow(float x, HalfFormat format) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  std::uint32_t magnitude = infinity_bits(format);
  if (std::isnan(x)) {
    const std::uint32_t payload = (bits & 0x007fffffU) >> (23 - format.mantissa_bits);
    magnitude |= payload | 1U << (format.mantissa_bits - 1);
  } else if (x == 0.0F) {
    magnitude = 0;
  } else if (!std::isinf(x)) {
    const int exponent = std::max(std::ilogb(x), format.min_exponent);
    // In units of the spacing at x. Rounding up to the next power of two carries into the exponent.
    const double units =
        std::nearbyint(std::ldexp(std::fabs(double{x}), format.mantissa_bits - exponent));
    const int field = exponent - format.min_exponent;
    magnitude = std::min(magnitude, (static_cast<std::uint32_t>(field) << format.mantissa_bits) +
                                        static_cast<std::uint32_t>(units));
  }
  return static_cast<std::uint16_t>(sign | magnitude);
}

void f16_to_f32(const std::uint16_t* in, float* out, std::size_t n) {
  std::transform(in, in + n, out, [](std::uint16_t h) { return widen(h, kFloat16, 0x00400000U); });
}
void bf16_to_f32(const std::uint16_t* in, float* out, std::size_t n) {
  std::transform(in, in + n, out, [](std::uint16_t h) { return widen(h, kBFloat16, 0); });
}
void f32_to_f16(const float* in, std::uint16_t* out, std::size_t n) {
  std::transform(in, in + n, out, [](float x) { return narrow(x, kFloat16); });
}
void f32_to_bf16(const float* in, std::uint16_t* out, std::size_t n) {
  std::transform(in, in + n, out, [](float x) { return narrow(x, kBFloat16); });
}

std::uint32_t absmax_bits(const float* x, std::size_t n) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffU);
  }
  return largest;
}

std::int32_t quantize(const float* x, std::size_t n, const CodeRule& rule, std::size_t /*prefetch*/,
                      std::int8_t* codes) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float scaled = rule.scaling == Scaling::divide ? x[i] / rule.step : x[i] * rule.step;
    const float rounded =
        rule.rounding == Rounding::half_to_even ? std::nearbyint(scaled) : std::round(scaled);
    const auto limit = static_cast<float>(rule.qmax);
    codes[i] = static_cast<std::int8_t>(std::clamp(rounded, -limit, limit));
    sum += codes[i];
  }
  return sum;
}

void dequantize(const std::int8_t* codes, std::size_t n, float scale, float* out) {
  std::transform(codes, codes + n, out,
                 [=](std::int8_t code) { return static_cast<float>(code) * scale; });
}

/// Sums term(i) in 16 lanes, then the lanes as a tree.
template <class Real, class Term>
Real sum_in_lanes(std::size_t n, Term term) {
  std::array<Real, 16> lane{};
  for (std::size_t i = 0; i < n; ++i) {
    lane[i % 16] += term(i);
  }
  for (const std::size_t half : {8, 4, 2, 1}) {
    for (std::size_t i = 0; i < half; ++i) {
      lane[i] += lane[i + half];
    }
  }
  return lane[0];
}

float sum_squares(const float* x, std::size_t n) {
  return sum_in_lanes<float>(n, [x](std::size_t i) { return x[i] * x[i]; });
}
double sum_abs(const float* w, std::size_t n, std::size_t /*prefetch*/) {
  return sum_in_lanes<double>(n, [w](std::size_t i) { return std::fabs(double{w[i]}); });
}

std::uint32_t normalize(const float* x, std::size_t n, float factor, const float* gain,
                        float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = x[i] * factor;
    if (gain != nullptr) {
      out[i] *= gain[i];
    }
  }
  return absmax_bits(out, n);
}

std::size_t ternarize(const float* w, std::size_t n, float threshold, std::uint8_t* digits) {
  for (std::size_t i = 0; i < n; ++i) {
    digits[i] = w[i] >= threshold ? 2 : w[i] <= -threshold ? 0 : 1;
  }
  return static_cast<std::size_t>(std::count(digits, digits + n, 1));
}

/// Where input k of a row lies, from the row's first byte in its panel.
template <TileLayout layout>
struct DigitPlace {
  static constexpr std::size_t kStepInputs = TileGeometry<layout>::kStepInputs;

  explicit DigitPlace(std::size_t k) : byte(k / kStepInputs * kPanelStepBytes + k % 4) {
    for (std::size_t field = 0; field < k % kStepInputs / 4; ++field) {
      value *= TileGeometry<layout>::kBase;
    }
  }
  unsigned digit(const std::uint8_t* row) const {
    const unsigned base_byte = layout == TileLayout::t16p ? kT16OfT16p.bytes[row[byte]] : row[byte];
    return base_byte / value % TileGeometry<layout>::kBase;
  }

  std::size_t byte;
  unsigned value = 1;
};

template <TileLayout layout>
void pack(const std::uint8_t* digits, std::size_t digit_stride, std::size_t steps,
          std::uint8_t* panel) {
  std::fill_n(panel, steps * kPanelStepBytes, std::uint8_t{0});
  for (std::size_t k = 0; k < steps * TileGeometry<layout>::kStepInputs; ++k) {
    const DigitPlace<layout> place(k);
    for (std::size_t row = 0; row < kPanelRows; ++row) {
      const unsigned term = digits[row * digit_stride + k] * place.value;
      panel[4 * row + place.byte] = static_cast<std::uint8_t>(panel[4 * row + place.byte] + term);
    }
  }
  if (layout == TileLayout::t16p) {
    std::transform(panel, panel + steps * kPanelStepBytes, panel,
                   [](std::uint8_t byte) { return kT16pOfT16.bytes[byte]; });
  }
}

template <TileLayout layout>
void unpack(const std::uint8_t* panel, std::size_t steps, std::uint8_t* digits,
            std::size_t digit_stride) {
  for (std::size_t k = 0; k < steps * TileGeometry<layout>::kStepInputs; ++k) {
    const DigitPlace<layout> place(k);
    for (std::size_t row = 0; row < kPanelRows; ++row) {
      digits[row * digit_stride + k] = static_cast<std::uint8_t>(place.digit(panel + 4 * row));
    }
  }
}

/// Σ a[t, k] * w[n, k] over `inputs` inputs from `first` on.
template <TileLayout layout>
std::int32_t dot(const TernaryGemm& gemm, std::size_t token, std::size_t row, std::size_t first,
                 std::size_t inputs) {
  const std::uint8_t* row_bytes =
      gemm.tiles + row / kPanelRows * gemm.steps * kPanelStepBytes + 4 * (row % kPanelRows);
  std::int32_t sum = 0;
  for (std::size_t k = first; k < first + inputs; ++k) {
    const int trit = static_cast<int>(DigitPlace<layout>(k).digit(row_bytes)) - 1;
    sum += trit * gemm.codes[token * gemm.code_stride + k];
  }
  return sum;
}

template <TileLayout layout>
void multiply_one(const TernaryGemm& gemm, std::size_t t, std::size_t n) {
  const std::int32_t sum = dot<layout>(gemm, t, n, 0, gemm.steps * step_inputs(layout));
  if (gemm.sums != nullptr) {
    gemm.sums[t * gemm.rows + n] = sum;
    return;
  }
  const float y = static_cast<float>(sum) * gemm.activation_scales[t * gemm.activation_scale_step] *
                  gemm.weight_scales[n * gemm.weight_scale_step];
  gemm.out[t * gemm.rows + n] = gemm.bias == nullptr ? y : y + gemm.bias[n];
}

void multiply_one_grouped(const TernaryGemm& gemm, std::size_t t, std::size_t n) {
  float total = 0.0F;
  for (std::size_t g = 0; g < gemm.groups; ++g) {
    const std::int32_t sum =
        dot<TileLayout::t2>(gemm, t, n, g * gemm.group_inputs, gemm.group_inputs);
    if (gemm.sums != nullptr) {
      gemm.sums[(t * gemm.groups + g) * gemm.rows + n] = sum;
      continue;
    }
    const std::size_t scale_row = n / kPanelRows * gemm.groups + g;
    total += static_cast<float>(sum) * gemm.weight_scales[scale_row * kPanelRows + n % kPanelRows];
  }
  if (gemm.sums == nullptr) {
    const float y = total * gemm.activation_scales[t * gemm.activation_scale_step];
    gemm.out[t * gemm.rows + n] = gemm.bias == nullptr ? y : y + gemm.bias[n];
  }
}

template <void (*multiply)(const TernaryGemm&, std::size_t, std::size_t)>
void multiply_block(const TernaryGemm& gemm, const GemmBlock& block) {
  const std::size_t last_row = std::min(block.last_panel * kPanelRows, gemm.rows);
  for (std::size_t t = block.first_token; t < block.last_token; ++t) {
    for (std::size_t n = block.first_panel * kPanelRows; n < last_row; ++n) {
      multiply(gemm, t, n);
    }
  }
}

/// Every nibble of the panel in memory order: which row and input it is, and what it adds.
void nibble_dot(const std::uint8_t* panel, std::size_t steps, const std::int8_t* high,
                const std::int8_t* low, std::size_t /*prefetch*/, std::int32_t* high_sums,
                std::int32_t* low_sums) {
  std::fill_n(high_sums, 32, 0);
  std::fill_n(low_sums, 32, 0);
  for (std::size_t nibble = 0; nibble < steps * 256; ++nibble) {
    const int code = panel[nibble / 2] / (nibble % 2 == 0 ? 1 : 16) % 16;
    const std::size_t step = nibble / 256;
    const std::size_t row = nibble % 256 / 8;
    const std::size_t k = 8 * step + nibble % 8 / 2 + (nibble % 2 == 0 ? 0 : 4);
    high_sums[row] += code * high[k];
    low_sums[row] += code * low[k];
  }
}

}  // namespace

constinit const KernelTable kNaiveTable = {
    .name = "naive",
    .isa = Isa::scalar,
    .preferred_layout = TileLayout::t2,
    .f16_to_f32 = f16_to_f32,
    .bf16_to_f32 = bf16_to_f32,
    .f32_to_f16 = f32_to_f16,
    .f32_to_bf16 = f32_to_bf16,
    .absmax_bits = absmax_bits,
    .quantize = quantize,
    .dequantize = dequantize,
    .sum_squares = sum_squares,
    .normalize = normalize,
    .dots = naive::dots,
    .add_to = naive::add_to,
    .exponentials = naive::exponentials,
    .gate_relu2 = naive::gate_relu2,
    .gate_silu = naive::gate_silu,
    .gate_gelu = naive::gate_gelu,
    .rotate = naive::rotate,
    .attend_f32 = naive::attend_f32,
    .attend_f16 = naive::attend_f16,
    .attend_int8 = naive::attend_int8,
    .q8_0_to_f32 = naive::q8_0_to_f32,
    .q6_k_to_f32 = naive::q6_k_to_f32,
    .dot_q8_0 = naive::dot_q8_0,
    .dot_q6_k = naive::dot_q6_k,
    .sum_abs = sum_abs,
    .ternarize = ternarize,
    .pack_t16 = pack<TileLayout::t16>,
    .pack_t2 = pack<TileLayout::t2>,
    .pack_t16p = pack<TileLayout::t16p>,
    .unpack_t16 = unpack<TileLayout::t16>,
    .unpack_t2 = unpack<TileLayout::t2>,
    .gemm_t16 = multiply_block<multiply_one<TileLayout::t16>>,
    .gemm_t2 = multiply_block<multiply_one<TileLayout::t2>>,
    .gemm_t16p = multiply_block<multiply_one<TileLayout::t16p>>,
    .gemm_t2_grouped = multiply_block<multiply_one_grouped>,
    .nibble_dot = nibble_dot,
    .table_gemm_t16 = nullptr,
    .table_gemm_t2 = nullptr,
    .table_gemm_t16p = nullptr,
    .table_gemm_least_tokens = 0,
    .table_gemm_panels = {},
    .read_probe = nullptr,
    .dot_probe = nullptr,
};

}  // namespace bitnet::kernels
