// SPDX-License-Identifier: MIT
// What the machine is like at this moment: fingerprints by which rounds of a benchmark are
// compared.
#pragma once

#include <bitnet/runtime.h>

namespace bitnet::bench {

/// Clock of this core by a chain of dependent one-cycle operations. Takes about a millisecond.
double core_ghz();

/// Microseconds of an empty parallel region: how near the cores are to each other.
double region_us(const Runtime& runtime);

}  // namespace bitnet::bench
