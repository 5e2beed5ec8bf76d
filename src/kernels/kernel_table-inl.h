// SPDX-License-Identifier: MIT
// The table of one ISA file, from the functions its includes have defined.
#pragma once

#include "kernels/attention-inl.h"
#include "kernels/block_floats-inl.h"
#include "kernels/elementwise-inl.h"
#include "kernels/float_dots-inl.h"
#include "kernels/kernel_table.h"
#include "kernels/q6_k_dots-inl.h"
#include "kernels/row_ops-inl.h"
#include "kernels/ternary_gemm-inl.h"
#include "ternary/tile_packing-inl.h"

namespace bitnet::kernels {
namespace {

constexpr KernelTable make_table(std::string_view name, Isa isa) {
  return {
      .name = name,
      .isa = isa,
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
      .dots = dots,
      .add_to = add_to,
      .exponentials = exponentials,
      .gate_relu2 = gate_relu2,
      .gate_silu = gate_silu,
      .gate_gelu = gate_gelu,
      .rotate = rotate,
      .attend_f32 = attend<float>,
      .attend_f16 = attend<std::uint16_t>,
      .attend_int8 = attend<std::int8_t>,
      .q8_0_to_f32 = blocks_to_f32<Q8Block>,
      .q6_k_to_f32 = blocks_to_f32<Q6KBlock>,
      .dot_q8_0 = dot_q8_0,
      .dot_q6_k = dot_q6_k,
      .sum_abs = sum_abs,
      .ternarize = ternarize,
      .pack_t16 = pack_panel<TileLayout::t16>,
      .pack_t2 = pack_panel<TileLayout::t2>,
      .pack_t16p = pack_panel<TileLayout::t16p>,
      .unpack_t16 = unpack_panel<TileLayout::t16>,
      .unpack_t2 = unpack_panel<TileLayout::t2>,
      .gemm_t16 = multiply_block<false, TileLayout::t16>,
      .gemm_t2 = multiply_block<false, TileLayout::t2>,
      .gemm_t16p = nullptr,
      .gemm_t2_grouped = multiply_block<true, TileLayout::t2>,
      .nibble_dot = nibble_dot,
      .table_gemm_t16 = nullptr,
      .table_gemm_t2 = nullptr,
      .table_gemm_t16p = nullptr,
      .table_gemm_least_tokens = 0,
      .table_gemm_panels = {},
      .read_probe = read_probe,
      .dot_probe = dot_probe,
  };
}

}  // namespace
}  // namespace bitnet::kernels
