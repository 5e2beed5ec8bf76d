// SPDX-License-Identifier: MIT
// How much memory a call takes: operator new of this program, counted (live_bytes.cpp).
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

}  // namespace bitnet::test
