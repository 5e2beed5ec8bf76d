// SPDX-License-Identifier: MIT
// Asking for memory before it is needed, where the hardware's own prefetchers fall short
// (TernaryGemm::prefetch).
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::kernels {
namespace {

/// Asks for the cache lines of `bytes` bytes that lie `ahead` bytes behind `from`, perhaps past the
/// end of what is there; ahead 0: for none. GCC 12 drops calls of a function that does nothing but
/// prefetch, unless it was inlined before.
template <std::size_t bytes>
[[gnu::always_inline]] inline void prefetch_ahead(const void* from, std::size_t ahead) {
  constexpr std::size_t kLine = 64;
  if (ahead != 0) {
    const auto target = reinterpret_cast<std::uintptr_t>(from) + ahead;
    for (std::size_t at = 0; at < bytes; at += kLine) {
      // NOLINTNEXTLINE(performance-no-int-to-ptr): no object need lie there
      __builtin_prefetch(reinterpret_cast<const void*>(target + at), 0, 2);
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
