// SPDX-License-Identifier: MIT
// Loops that the language unrolls.
#pragma once

#include <cstddef>
#include <utility>

namespace bitnet::kernels {
namespace {

/// body(i) for i in [0, n), unrolled before GCC 12 decides whether an array can live in registers.
template <std::size_t n, class Body>
[[gnu::always_inline]] inline void unrolled(Body body) {
  [&]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    (body(i), ...);
  }
  (std::make_index_sequence<n>());
}

}  // namespace
}  // namespace bitnet::kernels
