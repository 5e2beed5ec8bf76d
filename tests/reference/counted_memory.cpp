// SPDX-License-Identifier: MIT
#include "reference/counted_memory.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

// Of this thread, so that others are free to allocate meanwhile.
thread_local std::size_t live_bytes = 0;
thread_local std::size_t peak_bytes = 0;

std::atomic<std::size_t> allocations{0};  // of all threads

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
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

// Counted as a call alone.
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<std::size_t>(alignment);
  void* const memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
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

std::size_t allocation_count() { return allocations; }

}  // namespace bitnet::test
