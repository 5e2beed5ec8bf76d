// SPDX-License-Identifier: MIT
// The transformer's part of the naive formulas (naive_kernels.h).
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"

namespace bitnet::kernels::naive {

void dots(const float* rows, std::size_t row_count, const float* vectors, std::size_t vector_count,
          std::size_t n, float* out, std::size_t out_stride);
void add_to(const float* x, std::size_t n, float* y);
void exponentials(const float* x, std::size_t n, float shift, float* out);
void gate_relu2(const float* gate, const float* up, std::size_t n, float* out);
void gate_silu(const float* gate, const float* up, std::size_t n, float* out);
void gate_gelu(const float* gate, const float* up, std::size_t n, float* out);
void rotate(float* x, const float* cosines, const float* sines, std::size_t half);
void q8_0_to_f32(const std::byte* blocks, std::size_t n, float* out);
void q6_k_to_f32(const std::byte* blocks, std::size_t n, float* out);
void dot_q8_0(const std::byte* rows, std::size_t count, const float* x, std::size_t n,
              std::size_t prefetch, float* out);
void dot_q6_k(const std::byte* rows, std::size_t row_count, const FixedPointVectors& vectors,
              std::size_t prefetch, float* out, std::size_t out_stride);
void attend_f32(const AttentionPage& page);
void attend_f16(const AttentionPage& page);
void attend_int8(const AttentionPage& page);

}  // namespace bitnet::kernels::naive
