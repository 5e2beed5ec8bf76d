// SPDX-License-Identifier: MIT
#include "formats/live_bytes.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

// Of this thread, so that others are free to allocate meanwhile.
thread_local std::size_t live_bytes = 0;
thread_local std::size_t peak_bytes = 0;

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  live_bytes += ::malloc_usable_size(memory);
  peak_bytes = std::max(peak_bytes, live_bytes);
  return memory;
}

// The standard's own would call the one above, but a sanitizer's does not; std::stable_sort uses
// it.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void operator delete(void* memory) noexcept {
  live_bytes -= std::min(live_bytes, ::malloc_usable_size(memory));
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept { operator delete(memory); }

namespace bitnet::test {

PeakOfLiveBytes::PeakOfLiveBytes() {
  live_bytes = 0;
  peak_bytes = 0;
}

std::size_t PeakOfLiveBytes::bytes() const { return peak_bytes; }

}  // namespace bitnet::test
