// SPDX-License-Identifier: MIT
// Memory for the tiles of many weights, side by side on huge pages: alone, a matrix of a few
// megabytes would lie on small ones, which cost a tenth of the bandwidth and a fault each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/aligned_vector.h"

namespace bitnet {

/// Bytes, uninitialized, that live as long as `owner` does.
struct TileMemory {
  std::shared_ptr<void> owner;
  std::span<std::uint8_t> bytes;
};

/// Memory that nobody shares.
inline TileMemory own_tile_memory(std::size_t size) {
  auto bytes = std::make_shared<AlignedVector<std::uint8_t>>(size);
  return {bytes, *bytes};
}

/// Not thread-safe. A slab is freed when the last of its weights is.
class TileArena {
 public:
  /// Starts on a cache line.
  TileMemory allocate(std::size_t size) {
    const std::size_t needed = (size + kCacheLine - 1) / kCacheLine * kCacheLine;
    if (needed > kSlabBytes / 4) {
      return own_tile_memory(size);
    }
    if (slab_ == nullptr || slab_->size() - used_ < needed) {
      slab_ = std::make_shared<AlignedVector<std::uint8_t>>(kSlabBytes);
      used_ = 0;
    }
    const std::span<std::uint8_t> bytes(slab_->data() + used_, size);
    used_ += needed;
    return {slab_, bytes};
  }

 private:
  /// Small beside a model that gains by it; what is left of the last one is never touched.
  static constexpr std::size_t kSlabBytes = std::size_t{64} << 20;

  std::shared_ptr<AlignedVector<std::uint8_t>> slab_;
  std::size_t used_ = 0;
};

}  // namespace bitnet
