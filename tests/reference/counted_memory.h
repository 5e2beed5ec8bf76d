// SPDX-License-Identifier: MIT
// What operator new of this program gives out, counted (counted_memory.cpp).
#pragma once

#include <cstddef>

namespace bitnet::test {

/// Largest number of bytes that were allocated and not yet freed at one time since the object was
/// made, beyond those allocated before. One at a time, on one thread.
class PeakOfLiveBytes {
 public:
  PeakOfLiveBytes();
  std::size_t bytes() const;
};

/// Calls of operator new so far, on all threads.
std::size_t allocation_count();

}  // namespace bitnet::test
