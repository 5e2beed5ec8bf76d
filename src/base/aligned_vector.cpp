// SPDX-License-Identifier: MIT
#include "base/aligned_vector.h"

#include <sys/mman.h>

namespace bitnet {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// Whole huge pages where that adds at most a sixth; what remains of others lies on small pages.
std::size_t padded(std::size_t bytes) {
  const std::size_t whole = (bytes / kHugePage + 1) * kHugePage;
  return whole - bytes <= bytes / 6 ? whole : bytes;
}

std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{padded(bytes) >= kHugePage ? kHugePage : kCacheLine};
}

}  // namespace

void* allocate_aligned(std::size_t bytes) {
  void* const memory = ::operator new(padded(bytes), alignment_of(bytes));
#if defined(MADV_HUGEPAGE)
  // Only whole pages: what follows the last may belong to another allocation. Advice may fail.
  const std::size_t huge_bytes = padded(bytes) / kHugePage * kHugePage;
  if (huge_bytes != 0) (void)madvise(memory, huge_bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void free_aligned(void* memory, std::size_t bytes) {
  ::operator delete(memory, alignment_of(bytes));
}

}  // namespace bitnet
