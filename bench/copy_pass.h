// SPDX-License-Identifier: MIT
// The least that any activation quantizer does to memory: read each float, write one byte for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::bench {

/// out[i] = the top byte of x[i]. Compiled -O3 -march=native; compilers vectorize it.
void copy_pass(const float* x, std::size_t n, std::int8_t* out);

}  // namespace bitnet::bench
