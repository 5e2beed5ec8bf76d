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

/// Pages that are merged in order before their result joins that of the segments before. Part of
/// the arithmetic: it decides the order of sums, whoever computes them.
constexpr std::size_t kSegmentPositions = 8 * kPositions;

/// FlashAttention's running softmax of one query row per head of a group (AttentionPage), in memory
/// of `floats()` numbers.
class RunningSoftmax {
 public:
  RunningSoftmax(float* memory, std::size_t rows, std::size_t stride)
      : maxima(memory),
        totals(memory + rows),
        out(memory + 2 * rows),
        rows_(rows),
        stride_(stride) {}
  static std::size_t floats(std::size_t rows, std::size_t stride) { return rows * (2 + stride); }

  void reset() const {
    std::fill_n(maxima, rows_, -std::numeric_limits<float>::infinity());
    std::fill_n(totals, rows_, 0.0F);
    std::fill_n(out, rows_ * stride_, 0.0F);
  }

  /// Joins what came after, as the kernels join a page.
  void merge(const RunningSoftmax& next, const kernels::KernelTable& kernels) const {
    for (std::size_t r = 0; r < rows_; ++r) {
      const float merged = std::max(maxima[r], next.maxima[r]);
      float factors[] = {maxima[r], next.maxima[r]};
      kernels.exponentials(factors, 2, merged, factors);
      maxima[r] = merged;
      totals[r] = totals[r] * factors[0] + next.totals[r] * factors[1];
      std::transform(
          out + r * stride_, out + (r + 1) * stride_, next.out + r * stride_, out + r * stride_,
          [&](float before, float after) { return before * factors[0] + after * factors[1]; });
    }
  }

  float* const maxima;  // [rows]
  float* const totals;  // [rows]
  float* const out;     // [rows, stride]

 private:
  std::size_t rows_, stride_;
};

using Attend = void (*)(const kernels::AttentionPage&);
Attend choose_kernel(CacheType type, const kernels::KernelTable& kernels) {
  return type == CacheType::f32   ? kernels.attend_f32
         : type == CacheType::f16 ? kernels.attend_f16
                                  : kernels.attend_int8;
}

/// A thread's numbers between calls.
float* thread_floats(std::size_t count) {
  thread_local AlignedVector<float> floats;
  floats.resize(std::max(floats.size(), count));
  return floats.data();
}

/// The query heads of one token that read one KV head, and what they see.
class GroupAttention {
 public:
  GroupAttention(const AttentionToken& token, std::size_t layer, std::size_t group,
                 const AttentionShape& shape, const kernels::KernelTable& kernels)
      : cache_(*token.cache),
        layout_(token.cache->layout()),
        layer_(layer),
        group_(group),
        shape_(shape),
        kernels_(kernels),
        end_(token.position + 1),
        begin_(shape.window != 0 && end_ > shape.window ? end_ - shape.window : 0) {}

  std::size_t rows() const { return shape_.heads / layout_.kv_heads(); }
  std::size_t stride() const { return layout_.stride(); }
  std::size_t first_segment() const { return begin_ / kSegmentPositions; }
  std::size_t last_segment() const { return (end_ - 1) / kSegmentPositions + 1; }

  /// Queries [H / G, D] of the group, times the score's factor, into rows of stride().
  void scale_queries(const float* queries, float* scaled) const {
    std::fill_n(scaled, rows() * stride(), 0.0F);
    const std::size_t head_dim = layout_.head_dim();
    for (std::size_t r = 0; r < rows(); ++r) {
      std::transform(queries + r * head_dim, queries + (r + 1) * head_dim, scaled + r * stride(),
                     [this](float x) { return x * shape_.score_scale; });
    }
  }

  /// What the queries see in one segment.
  void attend(std::size_t segment, const float* scaled, const RunningSoftmax& result) const {
    result.reset();
    const Attend kernel = choose_kernel(layout_.type(), kernels_);
    const std::size_t begin = std::max(begin_, segment * kSegmentPositions);
    const std::size_t end = std::min(end_, (segment + 1) * kSegmentPositions);
    for (std::size_t index = begin / kPositions; index * kPositions < end; ++index) {
      const std::size_t first = index * kPositions;
      const std::byte* const page = cache_.page(index);
      const auto* const scales =
          layout_.type() == CacheType::q8_0
              ? reinterpret_cast<const float*>(page + layout_.scales(layer_, group_))
              : nullptr;
      kernel({.queries = scaled,
              .rows = rows(),
              .head_dim = layout_.head_dim(),
              .stride = stride(),
              .keys = page + layout_.keys(layer_, group_),
              .values = page + layout_.values(layer_, group_),
              .key_scales = scales,
              .value_scales = scales == nullptr ? nullptr : scales + kPositions,
              .first = std::max(begin, first) - first,
              .last = std::min(end, first + kPositions) - first,
              .maxima = result.maxima,
              .totals = result.totals,
              .out = result.out});
    }
  }

  /// out [H / G, D]
  void finish(const RunningSoftmax& result, float* out) const {
    const std::size_t head_dim = layout_.head_dim();
    for (std::size_t r = 0; r < rows(); ++r) {
      const float* const row = result.out + r * stride();
      std::transform(row, row + head_dim, out + r * head_dim,
                     [total = result.totals[r]](float x) { return x / total; });
    }
  }

  /// All segments on this thread.
  void run(const float* queries, float* out) const {
    const std::size_t softmax_floats = RunningSoftmax::floats(rows(), stride());
    float* const memory = thread_floats(rows() * stride() + 2 * softmax_floats);
    float* const softmaxes = memory + rows() * stride();
    const RunningSoftmax whole(softmaxes, rows(), stride());
    const RunningSoftmax part(softmaxes + softmax_floats, rows(), stride());
    scale_queries(queries, memory);
    attend(first_segment(), memory, whole);
    for (std::size_t segment = first_segment() + 1; segment < last_segment(); ++segment) {
      attend(segment, memory, part);
      whole.merge(part, kernels_);
    }
    finish(whole, out);
  }

 private:
  const PagedKvCache& cache_;
  const KvLayout& layout_;
  std::size_t layer_, group_;
  const AttentionShape& shape_;
  const kernels::KernelTable& kernels_;
  std::size_t end_, begin_;  // positions seen
};

/// One token's groups with their segments spread over the threads.
void attend_by_segments(const AttentionToken& token, std::size_t layer, const AttentionShape& shape,
                        const float* queries, float* out, const Runtime& runtime) {
  const auto group_attention = [&](std::size_t g) {
    return GroupAttention(token, layer, g, shape, runtime.kernels());
  };
  const GroupAttention any = group_attention(0);
  const std::size_t groups = token.cache->layout().kv_heads();
  const std::size_t segments = any.last_segment() - any.first_segment();
  const std::size_t width = any.rows() * token.cache->layout().head_dim();
  const std::size_t query_floats = any.rows() * any.stride();
  const std::size_t softmax_floats = RunningSoftmax::floats(any.rows(), any.stride());
  thread_local AlignedVector<float> shared;
  shared.resize(groups * (query_floats + segments * softmax_floats));
  float* const scaled = shared.data();
  const auto softmax = [&, memory = scaled + groups * query_floats](std::size_t g,
                                                                    std::size_t segment) {
    return RunningSoftmax(memory + (g * segments + segment) * softmax_floats, any.rows(),
                          any.stride());
  };
  for (std::size_t g = 0; g < groups; ++g) {
    any.scale_queries(queries + g * width, scaled + g * query_floats);
  }
  runtime.pool().parallel_for(groups * segments, [&](std::size_t i) {
    const std::size_t g = i / segments;
    group_attention(g).attend(any.first_segment() + i % segments, scaled + g * query_floats,
                              softmax(g, i % segments));
  });
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t segment = 1; segment < segments; ++segment) {
      softmax(g, 0).merge(softmax(g, segment), runtime.kernels());
    }
    any.finish(softmax(g, 0), out + g * width);
  }
}

}  // namespace

void attend(std::span<const AttentionToken> tokens, std::size_t layer, const AttentionShape& shape,
            const float* queries, float* out, const Runtime& runtime) {
  const std::size_t groups = tokens.front().cache->layout().kv_heads();
  const std::size_t width = shape.heads * tokens.front().cache->layout().head_dim();
  const auto threads = static_cast<std::size_t>(runtime.threads());
  const bool is_uneven = threads > 1 && groups < 4 * threads;
  if (is_uneven && tokens.size() == 1 && tokens.front().position >= kSegmentPositions) {
    attend_by_segments(tokens.front(), layer, shape, queries, out, runtime);
    return;
  }
  runtime.pool().parallel_for(tokens.size() * groups, [&](std::size_t i) {
    const std::size_t t = i / groups;
    const std::size_t at = t * width + i % groups * (width / groups);
    GroupAttention(tokens[t], layer, i % groups, shape, runtime.kernels())
        .run(queries + at, out + at);
  });
}

}  // namespace bitnet
