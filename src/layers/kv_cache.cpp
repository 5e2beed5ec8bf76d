// SPDX-License-Identifier: MIT
#include "layers/kv_cache.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

constexpr std::size_t kPositions = KvLayout::kPagePositions;

/// Elements of one head as the cache stores them, `step` elements apart.
template <class T>
void scatter(const T* elements, std::size_t count, std::byte* target, std::size_t step) {
  for (std::size_t d = 0; d < count; ++d) {
    std::memcpy(target + d * step * sizeof(T), elements + d, sizeof(T));
  }
}

/// Codes of absmax rounding, and the scale that multiplies them back.
float quantize_head(const float* x, std::size_t n, const kernels::KernelTable& kernels,
                    std::int8_t* codes) {
  constexpr int kLargestCode = 127;
  const auto absmax = std::bit_cast<float>(kernels.absmax_bits(x, n));
  const float scale = absmax / kLargestCode;
  if (!(scale >= 0x1p-120F)) {  // nothing that attention could see
    std::fill_n(codes, n, std::int8_t{0});
    return 0;
  }
  kernels.quantize(x, n,
                   {.step = scale,
                    .scaling = Scaling::divide,
                    .rounding = Rounding::half_to_even,
                    .qmax = kLargestCode},
                   0, codes);
  return scale;
}

/// Stores one head's vector, element d at target + d * step.
void store_head(const float* x, std::size_t head_dim, CacheType type,
                const kernels::KernelTable& kernels, std::byte* target, std::size_t step,
                float* scale) {
  if (type == CacheType::q8_0) {
    thread_local AlignedVector<std::int8_t> codes;
    codes.resize(head_dim);
    *scale = quantize_head(x, head_dim, kernels, codes.data());
    scatter(codes.data(), head_dim, target, step);
    return;
  }
  if (type == CacheType::f32) {
    scatter(x, head_dim, target, step);
    return;
  }
  thread_local AlignedVector<std::uint16_t> halves;
  halves.resize(head_dim);
  kernels.f32_to_f16(x, halves.data(), head_dim);
  scatter(halves.data(), head_dim, target, step);
}

}  // namespace

std::string_view to_string(CacheType type) {
  constexpr std::array<std::string_view, 3> kNames = {"f32", "f16", "q8_0"};
  return kNames[static_cast<std::size_t>(type)];
}

KvLayout::KvLayout(std::size_t layers, std::size_t kv_heads, std::size_t head_dim, CacheType type)
    : layers_(layers), kv_heads_(kv_heads), head_dim_(head_dim), type_(type) {}

std::size_t KvLayout::element_bytes() const {
  return type_ == CacheType::f32 ? 4 : type_ == CacheType::f16 ? 2 : 1;
}

std::size_t KvLayout::head_bytes() const {
  const std::size_t scales = type_ == CacheType::q8_0 ? 2 * kPositions * sizeof(float) : 0;
  return kPositions * (head_dim_ + stride()) * element_bytes() + scales;
}

KvPagePool::Page KvPagePool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      Page page = std::move(free_.back());
      free_.pop_back();
      return page;
    }
  }
  Page page(layout_.page_bytes());
  // Padding of values is read, and must not hold what is no number.
  std::memset(page.data(), 0, page.size());
  return page;
}

void KvPagePool::give_back(std::vector<Page>& pages) {
  const std::lock_guard lock(mutex_);
  std::move(pages.begin(), pages.end(), std::back_inserter(free_));
  pages.clear();
}

PagedKvCache::PagedKvCache(std::shared_ptr<KvPagePool> pool, std::size_t capacity)
    : pool_(std::move(pool)), capacity_(capacity) {
  pages_.reserve((capacity + kPositions - 1) / kPositions);
}

PagedKvCache::~PagedKvCache() { pool_->give_back(pages_); }

void PagedKvCache::truncate(std::size_t size) {
  if (size > size_) {
    throw InvalidArgument(
        message("KV cache: expected at most ", size_, " positions to keep, found ", size));
  }
  size_ = size;
}

void PagedKvCache::extend(std::size_t count) {
  while (pages_.size() * kPositions < size_ + count) {
    pages_.push_back(pool_->take());
  }
  size_ += count;
}

void PagedKvCache::write(std::size_t layer, std::size_t position, const float* keys,
                         const float* values, const kernels::KernelTable& kernels) {
  const KvLayout& layout = pool_->layout();
  std::byte* const page = pages_[position / kPositions].data();
  const std::size_t slot = position % kPositions;
  for (std::size_t g = 0; g < layout.kv_heads(); ++g) {
    auto* const scales = reinterpret_cast<float*>(page + layout.scales(layer, g));
    store_head(keys + g * layout.head_dim(), layout.head_dim(), layout.type(), kernels,
               page + layout.keys(layer, g) + slot * layout.element_bytes(), kPositions,
               scales + slot);
    store_head(values + g * layout.head_dim(), layout.head_dim(), layout.type(), kernels,
               page + layout.values(layer, g) + slot * layout.stride() * layout.element_bytes(), 1,
               scales + kPositions + slot);
  }
}

}  // namespace bitnet
