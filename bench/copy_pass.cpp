// SPDX-License-Identifier: MIT
#include "copy_pass.h"

#include <bit>

namespace bitnet::bench {

void copy_pass(const float* __restrict x, std::size_t n, std::int8_t* __restrict out) {
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<std::int8_t>(std::bit_cast<std::uint32_t>(x[i]) >> 24);
  }
}

}  // namespace bitnet::bench
