// SPDX-License-Identifier: MIT
// The cache of keys and values, in pages of 64 positions that many texts can share the memory of.
// Legend: G KV heads, D head_dim.
#pragma once

#include <bitnet/model.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/aligned_vector.h"
#include "kernels/kernel_table.h"

namespace bitnet {

/// What one page holds, and where. Per layer and KV head: keys [D, 64] (transposed, so that lanes
/// are positions), values [64, stride], and for q8_0 a float scale of each key and each value.
class KvLayout {
 public:
  KvLayout(std::size_t layers, std::size_t kv_heads, std::size_t head_dim, CacheType type);

  static constexpr std::size_t kPagePositions = kernels::AttentionPage::kPositions;
  std::size_t kv_heads() const { return kv_heads_; }
  std::size_t head_dim() const { return head_dim_; }
  /// Floats from one row of queries or values to the next: D rounded up to 16.
  std::size_t stride() const { return (head_dim_ + 15) / 16 * 16; }
  CacheType type() const { return type_; }
  std::size_t page_bytes() const { return layers_ * kv_heads_ * head_bytes(); }
  std::size_t element_bytes() const;

  // Byte offsets within a page.
  std::size_t keys(std::size_t layer, std::size_t head) const {
    return (layer * kv_heads_ + head) * head_bytes();
  }
  std::size_t values(std::size_t layer, std::size_t head) const {
    return keys(layer, head) + kPagePositions * head_dim_ * element_bytes();
  }
  /// Of keys; those of values follow. q8_0 only.
  std::size_t scales(std::size_t layer, std::size_t head) const {
    return values(layer, head) + kPagePositions * stride() * element_bytes();
  }

 private:
  std::size_t head_bytes() const;

  std::size_t layers_;
  std::size_t kv_heads_;
  std::size_t head_dim_;
  CacheType type_;
};

/// Gives out pages and takes them back: memory of a text that has ended serves the next one.
/// Thread-safe.
class KvPagePool {
 public:
  explicit KvPagePool(const KvLayout& layout) : layout_(layout) {}
  using Page = AlignedVector<std::byte>;

  const KvLayout& layout() const { return layout_; }
  Page take();
  void give_back(std::vector<Page>& pages);

 private:
  KvLayout layout_;
  std::mutex mutex_;
  std::vector<Page> free_;
};

class PagedKvCache : public KvCache {
 public:
  /// The pool is shared with other caches of the model.
  PagedKvCache(std::shared_ptr<KvPagePool> pool, std::size_t capacity);
  ~PagedKvCache() override;
  PagedKvCache(const PagedKvCache&) = delete;
  PagedKvCache& operator=(const PagedKvCache&) = delete;

  std::size_t size() const override { return size_; }
  std::size_t capacity() const override { return capacity_; }
  void truncate(std::size_t size) override;

  const KvLayout& layout() const { return pool_->layout(); }
  /// Makes room for `count` more positions and counts them as filled. There must be capacity.
  void extend(std::size_t count);
  /// Stores key and value [G, D] of one position. Different positions may be written at once.
  void write(std::size_t layer, std::size_t position, const float* keys, const float* values,
             const kernels::KernelTable& kernels);
  const std::byte* page(std::size_t index) const { return pages_[index].data(); }

 private:
  std::shared_ptr<KvPagePool> pool_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  std::vector<KvPagePool::Page> pages_;
};

}  // namespace bitnet
