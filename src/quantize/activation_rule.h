// SPDX-License-Identifier: MIT
// The scalar decisions of absmax quantization, apart from the loops that apply them.
#pragma once

#include <bitnet/config.h>

#include "kernels/kernel_table.h"

namespace bitnet {

/// What one absmax (finite, >= 0) gives: how codes are made, and the scale that multiplies them
/// back.
struct ActivationRule {
  kernels::CodeRule code;
  float scale;
};

ActivationRule activation_rule(float absmax, const BitNetConfig& config);

}  // namespace bitnet
