// SPDX-License-Identifier: MIT
// Probes of what this machine can do at most and what it is like at this moment, one measurement
// per call, so that a benchmark can repeat them beside what it compares with them.
#pragma once

#include <bitnet/runtime.h>

#include <cstddef>

namespace bitnet {

/// Streaming reads: each thread of the runtime reads its own contiguous part of one buffer in huge
/// pages, far larger than the caches.
class ReadProbe {
 public:
  /// Maps and touches the buffer: std::bad_alloc when the system has no such memory. The runtime
  /// must outlive the probe.
  explicit ReadProbe(const Runtime& runtime);
  ~ReadProbe();
  ReadProbe(const ReadProbe&) = delete;
  ReadProbe& operator=(const ReadProbe&) = delete;

  std::size_t bytes() const { return part_bytes_ * parts_; }
  /// One pass over the buffer.
  void run() const;
  /// How fast one pass is.
  double gb_per_s() const;

 private:
  const Runtime& runtime_;
  std::size_t parts_;
  std::size_t part_bytes_;
  std::byte* memory_;
};

/// int8 multiply-adds on operands in registers, on all threads of the runtime.
class DotProbe {
 public:
  /// Chooses the rounds so that run() takes some milliseconds. The runtime must outlive the probe.
  explicit DotProbe(const Runtime& runtime);

  /// That one run() does, on all threads together.
  double multiply_adds() const { return multiply_adds_; }
  void run() const;
  /// How fast one run is.
  double gmac_per_s() const;

 private:
  const Runtime& runtime_;
  std::size_t rounds_ = 1024;
  double multiply_adds_;
};

/// Clock of this core by a chain of dependent one-cycle operations. Takes about a millisecond.
double core_ghz();

/// Microseconds of an empty parallel region: how near the cores are to each other.
double region_us(const Runtime& runtime);

}  // namespace bitnet
