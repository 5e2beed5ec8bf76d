// SPDX-License-Identifier: MIT
#include "kernels/machine_limits.h"

#include <bitnet/diagnostics.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernel_table.h"

namespace bitnet {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 20;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

template <class Body>
double seconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Median of as many runs as fit in half a second, at least five.
template <class Body>
double median_seconds(const Body& body) {
  std::vector<double> samples;
  for (double total = 0; samples.size() < 5 || total < 0.5; total += samples.back()) {
    samples.push_back(seconds_of(body));
  }
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

}  // namespace

ReadProbe::ReadProbe(const Runtime& runtime)
    : runtime_(runtime),
      parts_(static_cast<std::size_t>(runtime.threads())),
      part_bytes_((kReadBytes / parts_ + kHugePage) / kHugePage * kHugePage) {
  void* mapped = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    throw std::bad_alloc();
  }
  madvise(mapped, bytes(), MADV_HUGEPAGE);  // a wish: without it the reads are only slower
  memory_ = static_cast<std::byte*>(mapped);
  runtime_.pool().parallel_for(
      parts_, [&](std::size_t part) { std::memset(memory_ + part * part_bytes_, 1, part_bytes_); });
}

ReadProbe::~ReadProbe() { munmap(memory_, bytes()); }

void ReadProbe::run() const {
  runtime_.pool().parallel_for(parts_, [&](std::size_t part) {
    runtime_.kernels().read_probe(memory_ + part * part_bytes_, part_bytes_);
  });
}

double ReadProbe::gb_per_s() const {
  return static_cast<double>(bytes()) * 1e-9 / seconds_of([this] { run(); });
}

DotProbe::DotProbe(const Runtime& runtime) : runtime_(runtime) {
  while (seconds_of([&] { run(); }) < 0.005) {
    rounds_ *= 2;
  }
  multiply_adds_ = static_cast<double>(runtime_.kernels().dot_probe(rounds_)) * runtime_.threads();
}

void DotProbe::run() const {
  runtime_.pool().parallel_for(static_cast<std::size_t>(runtime_.threads()),
                               [&](std::size_t) { runtime_.kernels().dot_probe(rounds_); });
}

double DotProbe::gmac_per_s() const {
  return multiply_adds() * 1e-9 / seconds_of([this] { run(); });
}

/// x = (x ^ i) + x is two dependent one-cycle operations that no compiler shortens.
double core_ghz() {
  constexpr std::uint64_t kLength = 2'000'000;
  static volatile std::uint64_t sink = 1;
  const double seconds = seconds_of([] {
    std::uint64_t x = sink;
    // A branch each two cycles is more than some cores sustain wherever the loop may lie.
#pragma GCC unroll 8
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

int recommended_threads() {
  constexpr int kFewCores = 4;
  constexpr double kWorthwhile = 1.1;
  constexpr int kRuns = 3;
  const int cores = Runtime().threads();
  if (cores <= kFewCores) {
    return cores;
  }
  int threads = 1;
  for (double speed = 0; threads < cores;) {
    const int more = std::min(2 * threads, cores);
    const Runtime runtime(RuntimeOptions{.threads = more});
    const ReadProbe probe(runtime);
    double seconds = seconds_of([&] { probe.run(); });
    for (int i = 1; i < kRuns; ++i) {
      seconds = std::min(seconds, seconds_of([&] { probe.run(); }));
    }
    const double found = static_cast<double>(probe.bytes()) / seconds;
    if (found < kWorthwhile * speed) {
      break;
    }
    speed = found;
    threads = more;
  }
  return threads;
}

MachineLimits measure_limits(const Runtime& runtime) {
  const ReadProbe read(runtime);
  const DotProbe dot(runtime);
  const double read_seconds = median_seconds([&] { read.run(); });
  const double dot_seconds = median_seconds([&] { dot.run(); });
  return {.read_gb_per_s = static_cast<double>(read.bytes()) * 1e-9 / read_seconds,
          .dot_gmac_per_s = dot.multiply_adds() * 1e-9 / dot_seconds};
}

}  // namespace bitnet
