// SPDX-License-Identifier: MIT
// The arithmetic of the Rust crate bitnet-quantize as plain scalar loops: the baseline of the
// benchmarks. One thread, no intrinsics; compiled -O3 for the portable baseline of the
// architecture.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::bench {

/// x [rows, columns]: per row scale = absmax / 127 (1 if zero), code = round(x / scale).
void seed_quantize_activations(const float* x, std::size_t rows, std::size_t columns,
                               std::int8_t* codes, float* scales);

/// w [rows, columns]: per group of `group_size` inputs scale = mean |w| (1 if zero), trit =
/// clamp(round(w / scale)), sixteen 2-bit codes per word. columns divides by group_size, and that
/// by 16.
void seed_quantize_weights(const float* w, std::size_t rows, std::size_t columns,
                           std::size_t group_size, std::uint32_t* words, float* scales);

/// y [tokens, rows] = x [tokens, columns] times the transpose of the dequantized w [rows, columns].
void seed_matmul(const float* x, std::size_t tokens, const float* w, std::size_t rows,
                 std::size_t columns, float* y);

}  // namespace bitnet::bench
