// SPDX-License-Identifier: MIT
#include "layers/attention.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/aligned_vector.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"

namespace bitnet {
namespace {

constexpr std::size_t kPositions = KvLayout::kPagePositions;

/// Pages that are merged in order before their result joins that of the segments before. Part of
/// the arithmetic: it decides the order of sums, whoever computes them.
constexpr std::size_t kSegmentPositions = 8 * kPositions;

/// Query rows that share what is read of the cache, which becomes floats once for all of them.
constexpr std::size_t kTileRows = 32;

/// FlashAttention's running softmax of query rows (AttentionPage), in memory of `floats()` numbers.
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

/// Consecutive tokens of one text whose positions lie in the same segments: they share what they
/// read of the cache.
struct Tile {
  const PagedKvCache* cache;
  std::size_t position;  // of the first token
  std::size_t window;
  std::size_t first_token;  // of the batch
  std::size_t tokens;

  /// The positions that a token of the tile sees are [begin, end).
  std::size_t begin(std::size_t token) const {
    return window != 0 && end(token) > window ? end(token) - window : 0;
  }
  std::size_t end(std::size_t token) const { return position + token + 1; }
  std::size_t first_segment() const { return begin(0) / kSegmentPositions; }
  std::size_t segments() const { return position / kSegmentPositions + 1 - first_segment(); }

  bool continues_with(const AttentionToken& token) const {
    return token.cache == cache && token.position == position + tokens &&
           token.position / kSegmentPositions == position / kSegmentPositions &&
           begin(tokens) / kSegmentPositions == first_segment();
  }
};

/// As few tiles as there can be of at most `most_tokens` each.
void cut_into_tiles(std::span<const AttentionToken> tokens, std::size_t window,
                    std::size_t most_tokens, std::vector<Tile>& tiles) {
  tiles.clear();
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    if (tiles.empty() || tiles.back().tokens == most_tokens ||
        !tiles.back().continues_with(tokens[t])) {
      tiles.push_back({tokens[t].cache, tokens[t].position, window, t, 0});
    }
    ++tiles.back().tokens;
  }
}

/// The query heads of a tile's tokens that read one KV head: a row each, token by token.
class GroupAttention {
 public:
  GroupAttention(const Tile& tile, std::size_t layer, std::size_t group,
                 const AttentionShape& shape, const kernels::KernelTable& kernels)
      : tile_(tile),
        layout_(tile.cache->layout()),
        layer_(layer),
        group_(group),
        shape_(shape),
        kernels_(kernels),
        heads_(shape.heads / layout_.kv_heads()),
        rows_(tile.tokens * heads_),
        stride_(layout_.stride()) {}

  std::size_t query_floats() const { return rows_ * stride_; }
  std::size_t softmax_floats() const { return RunningSoftmax::floats(rows_, stride_); }
  RunningSoftmax softmax(float* memory) const { return {memory, rows_, stride_}; }

  /// Its part of queries [T, H, D], times the score's factor, as rows of the layout's stride.
  void scale_queries(const float* queries, float* scaled) const {
    std::fill_n(scaled, query_floats(), 0.0F);
    for (std::size_t r = 0; r < rows_; ++r) {
      const float* const query = queries + place(r);
      std::transform(query, query + layout_.head_dim(), scaled + r * stride_,
                     [this](float x) { return x * shape_.score_scale; });
    }
  }

  /// What the queries see in one of the tile's segments.
  void attend(std::size_t segment, const float* scaled, const RunningSoftmax& result) const {
    result.reset();
    const std::size_t start = (tile_.first_segment() + segment) * kSegmentPositions;
    const std::size_t begin = std::max(tile_.begin(0), start);
    const std::size_t end = std::min(tile_.end(tile_.tokens - 1), start + kSegmentPositions);
    for (std::size_t page = begin / kPositions; page * kPositions < end; ++page) {
      const bool is_last = (page + 1) * kPositions >= end;
      attend_page(page, is_last ? 0 : bytes_to_ask_ahead(page), scaled, result);
    }
  }

  /// Its part of out [T, H, D].
  void finish(const RunningSoftmax& result, float* out) const {
    for (std::size_t r = 0; r < rows_; ++r) {
      const float* const row = result.out + r * stride_;
      std::transform(row, row + layout_.head_dim(), out + place(r),
                     [total = result.totals[r]](float x) { return x / total; });
    }
  }

  /// All segments on this thread.
  void run(const float* queries, float* out) const {
    float* const scaled = thread_floats(query_floats() + 2 * softmax_floats());
    const RunningSoftmax whole = softmax(scaled + query_floats());
    const RunningSoftmax part = softmax(scaled + query_floats() + softmax_floats());
    scale_queries(queries, scaled);
    attend(0, scaled, whole);
    for (std::size_t segment = 1; segment < tile_.segments(); ++segment) {
      attend(segment, scaled, part);
      whole.merge(part, kernels_);
    }
    finish(whole, out);
  }

 private:
  /// Of a row in queries and out.
  std::size_t place(std::size_t row) const {
    const std::size_t token = tile_.first_token + row / heads_;
    return (token * shape_.heads + group_ * heads_ + row % heads_) * layout_.head_dim();
  }

  /// From a page to the next one.
  std::size_t bytes_to_ask_ahead(std::size_t page) const {
    if (kernels::tile_prefetch() == 0) return 0;
    return reinterpret_cast<std::uintptr_t>(tile_.cache->page(page + 1)) -
           reinterpret_cast<std::uintptr_t>(tile_.cache->page(page));
  }

  /// Joins one page for the rows that see some of it.
  void attend_page(std::size_t index, std::size_t prefetch, const float* scaled,
                   const RunningSoftmax& result) const {
    thread_local std::vector<kernels::PagePositions> seen;
    seen.clear();
    const std::size_t first = index * kPositions;
    std::size_t first_row = 0;
    for (std::size_t token = 0; token < tile_.tokens; ++token) {
      const std::size_t begin = std::max(tile_.begin(token), first);
      const std::size_t end = std::min(tile_.end(token), first + kPositions);
      if (begin < end) {
        seen.insert(seen.end(), heads_, {begin - first, end - first});
      } else if (seen.empty()) {
        first_row += heads_;
      }
    }
    const std::byte* const page = tile_.cache->page(index);
    const auto* const scales =
        layout_.type() == CacheType::q8_0
            ? reinterpret_cast<const float*>(page + layout_.scales(layer_, group_))
            : nullptr;
    choose_kernel(layout_.type(),
                  kernels_)({.queries = scaled + first_row * stride_,
                             .rows = seen.size(),
                             .head_dim = layout_.head_dim(),
                             .stride = stride_,
                             .keys = page + layout_.keys(layer_, group_),
                             .values = page + layout_.values(layer_, group_),
                             .key_scales = scales,
                             .value_scales = scales == nullptr ? nullptr : scales + kPositions,
                             .seen = seen.data(),
                             .prefetch = prefetch,
                             .maxima = result.maxima + first_row,
                             .totals = result.totals + first_row,
                             .out = result.out + first_row * stride_});
  }

  const Tile& tile_;
  const KvLayout& layout_;
  std::size_t layer_, group_;
  const AttentionShape& shape_;
  const kernels::KernelTable& kernels_;
  std::size_t heads_;  // of the group
  std::size_t rows_;
  std::size_t stride_;
};

/// The groups of a few tiles, with their segments spread over the threads.
class SegmentedAttention {
 public:
  SegmentedAttention(std::span<const Tile> tiles, std::size_t layer, const AttentionShape& shape,
                     const Runtime& runtime)
      : runtime_(runtime) {
    groups_.clear();
    parts_.clear();
    std::size_t floats = 0;
    for (const Tile& tile : tiles) {
      for (std::size_t g = 0; g < tile.cache->layout().kv_heads(); ++g) {
        const GroupAttention attention(tile, layer, g, shape, runtime.kernels());
        groups_.push_back({attention, tile.segments(), floats});
        floats += attention.query_floats() + tile.segments() * attention.softmax_floats();
        for (std::size_t segment = 0; segment < tile.segments(); ++segment) {
          parts_.push_back({groups_.size() - 1, segment});
        }
      }
    }
    memory_ = thread_floats(floats);
  }

  void run(const float* queries, float* out) const {
    runtime_.pool().parallel_for(groups_.size(), [&](std::size_t g) {
      groups_[g].attention.scale_queries(queries, scaled(groups_[g]));
    });
    runtime_.pool().parallel_for(parts_.size(), [&](std::size_t i) {
      const Group& group = groups_[parts_[i].group];
      group.attention.attend(parts_[i].segment, scaled(group), softmax(group, parts_[i].segment));
    });
    runtime_.pool().parallel_for(groups_.size(), [&](std::size_t g) {
      const Group& group = groups_[g];
      for (std::size_t segment = 1; segment < group.segments; ++segment) {
        softmax(group, 0).merge(softmax(group, segment), runtime_.kernels());
      }
      group.attention.finish(softmax(group, 0), out);
    });
  }

 private:
  struct Group {
    GroupAttention attention;
    std::size_t segments;
    std::size_t at;  // of its numbers in memory_: queries, then a softmax for each segment
  };
  struct Part {
    std::size_t group, segment;
  };

  float* scaled(const Group& group) const { return memory_ + group.at; }
  RunningSoftmax softmax(const Group& group, std::size_t segment) const {
    const GroupAttention& attention = group.attention;
    return attention.softmax(scaled(group) + attention.query_floats() +
                             segment * attention.softmax_floats());
  }

  // Kept, so that no token of a long text allocates.
  static std::vector<Group>& kept_groups() {
    thread_local std::vector<Group> groups;
    return groups;
  }
  static std::vector<Part>& kept_parts() {
    thread_local std::vector<Part> parts;
    return parts;
  }

  const Runtime& runtime_;
  std::vector<Group>& groups_ = kept_groups();
  std::vector<Part>& parts_ = kept_parts();
  float* memory_;
};

}  // namespace

void attend(std::span<const AttentionToken> tokens, std::size_t layer, const AttentionShape& shape,
            const float* queries, float* out, const Runtime& runtime) {
  const std::size_t groups = tokens.front().cache->layout().kv_heads();
  const std::size_t heads = shape.heads / groups;
  thread_local std::vector<Tile> tiles;
  cut_into_tiles(tokens, shape.window, std::max<std::size_t>(kTileRows / heads, 1), tiles);
  const auto threads = static_cast<std::size_t>(runtime.threads());
  const std::size_t items = tiles.size() * groups;
  const bool is_uneven = threads > 1 && items < 4 * threads;
  const auto is_long = [](const Tile& tile) { return tile.segments() > 1; };
  if (is_uneven && std::ranges::any_of(tiles, is_long)) {
    SegmentedAttention(tiles, layer, shape, runtime).run(queries, out);
    return;
  }
  runtime.pool().parallel_for(items, [&, tiles = std::span(tiles)](std::size_t i) {
    GroupAttention(tiles[i / groups], layer, i % groups, shape, runtime.kernels())
        .run(queries, out);
  });
}

}  // namespace bitnet
