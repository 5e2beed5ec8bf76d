// SPDX-License-Identifier: MIT
// Deterministic inputs of any size.
#pragma once

#include <bitnet/quantize.h>
#include <bitnet/tensor.h>
#include <bitnet/ternary_weight.h>

#include <cstddef>

#include "ternary/tile_arena.h"

namespace bitnet::bench {

/// Normally distributed.
Tensor random_tensor(const Shape& shape);

/// One scale per matrix. Its panels repeat one random panel: kernels take the same time whatever
/// the digits are.
TernaryWeight random_weight(std::size_t out_features, std::size_t in_features, TileLayout layout,
                            TileArena& arena);

/// Codes [tokens, hidden] of random_tensor.
QuantizedActivations random_codes(std::size_t tokens, std::size_t hidden);

}  // namespace bitnet::bench
