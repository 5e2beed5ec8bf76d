// SPDX-License-Identifier: MIT
#include "machine_probes.h"

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"

namespace bitnet::bench {
namespace {

template <class Body>
double seconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

/// x = (x ^ i) + x is two dependent one-cycle operations that no compiler shortens.
double core_ghz() {
  constexpr std::uint64_t kLength = 2'000'000;
  static volatile std::uint64_t sink = 1;
  const double seconds = seconds_of([] {
    std::uint64_t x = sink;
    for (std::uint64_t i = 0; i < kLength; ++i) {
      x = (x ^ i) + x;
    }
    sink = x;
  });
  return 2.0 * kLength * 1e-9 / seconds;
}

double region_us(const Runtime& runtime) {
  constexpr int kRegions = 2000;
  const auto threads = static_cast<std::size_t>(runtime.threads());
  const double seconds = seconds_of([&] {
    for (int i = 0; i < kRegions; ++i) {
      runtime.pool().parallel_for(threads, [](std::size_t) {});
    }
  });
  return seconds * 1e6 / kRegions;
}

}  // namespace bitnet::bench
