// SPDX-License-Identifier: MIT
// The formulas of kernel_table.h, one element at a time: the oracle of the self-test. Shares no
// code with the kernels, and is far too slow for anything else.
#pragma once

#include "kernels/kernel_table.h"

namespace bitnet::kernels {

/// Without probes: they have no result to compare.
extern const KernelTable kNaiveTable;

}  // namespace bitnet::kernels
