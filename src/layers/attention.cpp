// SPDX-License-Identifier: MIT
#include "layers/attention.h"

#include <algorithm>
#include <limits>

#include "base/aligned_vector.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"

namespace bitnet {
namespace {

constexpr std::size_t kPositions = KvLayout::kPagePositions;

/// What one query row per head of a group keeps between pages.
struct GroupState {
  AlignedVector<float> queries;  // [H / G, stride]
  AlignedVector<float> out;      // [H / G, stride]
  AlignedVector<float> maxima;   // [H / G]
  AlignedVector<float> totals;   // [H / G]

  void reset(std::size_t rows, std::size_t stride) {
    queries.resize(rows * stride);
    out.resize(rows * stride);
    maxima.resize(rows);
    totals.resize(rows);
    std::ranges::fill(queries, 0.0F);
    std::ranges::fill(out, 0.0F);
    std::ranges::fill(maxima, -std::numeric_limits<float>::infinity());
    std::ranges::fill(totals, 0.0F);
  }
};

GroupState& group_state() {
  thread_local GroupState state;
  return state;
}

using Attend = void (*)(const kernels::AttentionPage&);
Attend choose_kernel(CacheType type, const kernels::KernelTable& kernels) {
  return type == CacheType::f32   ? kernels.attend_f32
         : type == CacheType::f16 ? kernels.attend_f16
                                  : kernels.attend_int8;
}

/// All query heads of one token that read KV head g.
void attend_group(const AttentionToken& token, std::size_t layer, std::size_t g,
                  const AttentionShape& shape, const float* queries, float* out,
                  const kernels::KernelTable& kernels) {
  const KvLayout& layout = token.cache->layout();
  const std::size_t head_dim = layout.head_dim();
  const std::size_t stride = layout.stride();
  const std::size_t rows = shape.heads / layout.kv_heads();
  GroupState& state = group_state();
  state.reset(rows, stride);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* const query = queries + (g * rows + r) * head_dim;
    std::transform(query, query + head_dim, state.queries.data() + r * stride,
                   [&](float x) { return x * shape.score_scale; });
  }
  const std::size_t end = token.position + 1;
  const std::size_t begin = shape.window != 0 && end > shape.window ? end - shape.window : 0;
  const Attend kernel = choose_kernel(layout.type(), kernels);
  for (std::size_t index = begin / kPositions; index * kPositions < end; ++index) {
    const std::size_t first = index * kPositions;
    const std::byte* const page = token.cache->page(index);
    const auto* const scales = layout.type() == CacheType::q8_0
                                   ? reinterpret_cast<const float*>(page + layout.scales(layer, g))
                                   : nullptr;
    kernel({.queries = state.queries.data(),
            .rows = rows,
            .head_dim = head_dim,
            .stride = stride,
            .keys = page + layout.keys(layer, g),
            .values = page + layout.values(layer, g),
            .key_scales = scales,
            .value_scales = scales == nullptr ? nullptr : scales + kPositions,
            .first = std::max(begin, first) - first,
            .last = std::min(end, first + kPositions) - first,
            .maxima = state.maxima.data(),
            .totals = state.totals.data(),
            .out = state.out.data()});
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const float* const row = state.out.data() + r * stride;
    const float total = state.totals[r];
    std::transform(row, row + head_dim, out + (g * rows + r) * head_dim,
                   [total](float x) { return x / total; });
  }
}

}  // namespace

void attend(std::span<const AttentionToken> tokens, std::size_t layer, const AttentionShape& shape,
            const float* queries, float* out, const Runtime& runtime) {
  const std::size_t groups = tokens.front().cache->layout().kv_heads();
  const std::size_t width = shape.heads * tokens.front().cache->layout().head_dim();
  runtime.pool().parallel_for(tokens.size() * groups, [&](std::size_t i) {
    const std::size_t t = i / groups;
    attend_group(tokens[t], layer, i % groups, shape, queries + t * width, out + t * width,
                 runtime.kernels());
  });
}

}  // namespace bitnet
