// SPDX-License-Identifier: MIT
// Asking for memory before it is needed, where the hardware's own prefetchers fall short
// (TernaryGemm::prefetch).
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::kernels {
namespace {

constexpr int kFirstLevel = 3;
constexpr int kSecondLevel = 2;
constexpr int kToRead = 0;
constexpr int kToWrite = 1;

// Both are inlined always: GCC 12 drops calls of a function that does nothing but prefetch.
template <std::size_t bytes, int level, int purpose = kToRead>
[[gnu::always_inline]] inline void prefetch_lines(std::uintptr_t target) {
  constexpr std::size_t kLine = 64;
  for (std::size_t at = 0; at < bytes; at += kLine) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): no object need lie there
    __builtin_prefetch(reinterpret_cast<const void*>(target + at), purpose, level);
  }
}

/// Asks for the cache lines of `bytes` bytes that lie `ahead` bytes behind `from`, perhaps past the
/// end of what is there; ahead 0: for none. They go to the second-level cache, which has room for
/// more requests than the first, and from there on shortly before they are read.
template <std::size_t bytes>
[[gnu::always_inline]] inline void prefetch_ahead(const void* from, std::size_t ahead) {
  constexpr std::size_t kShortly = 1024;
  if (ahead != 0) {
    const auto here = reinterpret_cast<std::uintptr_t>(from);
    prefetch_lines<bytes, kSecondLevel>(here + ahead);
    prefetch_lines<bytes, kFirstLevel>(here + kShortly);
  }
}

}  // namespace
}  // namespace bitnet::kernels
