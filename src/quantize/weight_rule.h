// SPDX-License-Identifier: MIT
// The scalar decisions of absmean ternarization, apart from the loops that apply them.
#pragma once

#include <bitnet/config.h>

#include <cstddef>

namespace bitnet {

/// max(mean |w|, floor) rounded once to float, or 1.0 when that is zero. count > 0.
float weight_scale(double sum_abs, std::size_t count, const BitNetConfig& config);

/// The smallest float t > 0 whose code is +1 under `scale`. Rounding is monotonic, so a weight's
/// code is +1 iff w >= t, and -1 iff w <= -t: exactly the formula, without a division per weight.
float ternary_threshold(float scale, const BitNetConfig& config);

}  // namespace bitnet
