// SPDX-License-Identifier: MIT
// Softmax attention over one page of a KV cache, once, over the vocabulary of row_ops-inl.h.
//
// Keys lie transposed, [D, 64]: lane = position, so that scores need no horizontal sums. Values lie
// [64, D]: lane = feature. Either product sums in runs of 16 terms, whose sums are then added up (a
// quarter of the rounding error of one long run). So a run of the cache, 16 x 64 elements, becomes
// floats once, in the first-level cache, and all rows use it; a few rows, a token's heads, widen it
// in registers. Results depend neither on the registers at hand nor on how many rows are computed
// together.
#pragma once

#include "kernels/elementwise-inl.h"
#include "kernels/prefetch-inl.h"
#include "kernels/unrolled-inl.h"

namespace bitnet::kernels {
namespace {

inline Floats load_cached(const float* p) { return load(p); }
inline Floats load_cached(const std::uint16_t* p) { return load_f16(p); }
inline Floats load_cached(const std::int8_t* p) { return to_floats(load_int8(p)); }

constexpr std::size_t kPositions = AttentionPage::kPositions;
constexpr std::size_t kRun = AttentionPage::kRun;
constexpr std::size_t kColumns = 64;   // positions of keys, features of values
constexpr std::size_t kRowBlock = 32;  // rows that share a run's floats; 20 KB with their sums
constexpr std::size_t kFewRows = 4;    // share registers, so need no floats in memory
constexpr std::size_t kLine = 64;
// Of the bytes that a run takes from the cache, the sums ask for a line at each term, and widening
// for the rest, these at each row: asking for all at once would fill what the core keeps track of.
template <class Cached>
constexpr std::size_t kAsked = kColumns * sizeof(Cached) - kLine;

using Columns = float[kColumns];
static_assert(kColumns == kPositions);

/// floats[i, c] = cached[i * stride + c] for `count` rows of a run.
template <class Cached>
inline void widen_run(const Cached* cached, std::size_t stride, std::size_t count,
                      std::size_t columns, Columns* floats, const std::byte* read,
                      std::size_t prefetch) {
  for (std::size_t i = 0; i < count; ++i) {
    const Cached* const row = cached + i * stride;
    prefetch_ahead<kAsked<Cached>>(read + i * kAsked<Cached>, prefetch);
    for (std::size_t c = 0; c < columns; c += kLanes) store(floats[i] + c, load_cached(row + c));
  }
}

/// sums[r, c] += Σ_i factors[r, i] * run[i, c] over [first, last) for `vectors` blocks of 16
/// columns. When it asks, each i asks for a cache line.
template <std::size_t rows, std::size_t vectors, bool asks>
inline void add_block(const float* factors, std::size_t stride, std::size_t first, std::size_t last,
                      const Columns* run, Columns* sums, std::size_t column, const std::byte* read,
                      std::size_t prefetch) {
  Floats block[rows][vectors];
  unrolled<rows * vectors>([&](std::size_t n) { block[n / vectors][n % vectors] = splat(0.0F); });
  for (std::size_t i = first; i < last; ++i) {
    if constexpr (asks) prefetch_ahead<kLine>(read + i * kLine, prefetch);
    Floats terms[vectors];
    for (std::size_t v = 0; v < vectors; ++v) terms[v] = load(run[i] + column + v * kLanes);
    for (std::size_t r = 0; r < rows; ++r) {
      const Floats factor = splat(factors[r * stride + i]);
      for (std::size_t v = 0; v < vectors; ++v) {
        block[r][v] = multiply_add(factor, terms[v], block[r][v]);
      }
    }
  }
  unrolled<rows * vectors>([&](std::size_t n) {
    float* const sum = sums[n / vectors] + column + n % vectors * kLanes;
    store(sum, add(load(sum), block[n / vectors][n % vectors]));
  });
}

template <std::size_t rows, bool asks>
void add_run(const float* factors, std::size_t stride, std::size_t first, std::size_t last,
             const Columns* run, std::size_t columns, Columns* sums, const std::byte* read,
             std::size_t prefetch) {
  std::size_t c = 0;
  if (asks && columns >= kFloatsAtOnce * kLanes) {
    add_block<rows, kFloatsAtOnce, true>(factors, stride, first, last, run, sums, c, read,
                                         prefetch);
    c += kFloatsAtOnce * kLanes;
  }
  for (; c + kFloatsAtOnce * kLanes <= columns; c += kFloatsAtOnce * kLanes) {
    add_block<rows, kFloatsAtOnce, false>(factors, stride, first, last, run, sums, c, nullptr, 0);
  }
  for (; c < columns; c += kLanes) {
    add_block<rows, 1, false>(factors, stride, first, last, run, sums, c, nullptr, 0);
  }
}

/// sums[r, c] = Σ_i factors[r, i] * cached[i * stride + c] over `terms`, run by run, for `vectors`
/// blocks of 16 columns, widened on the way.
template <std::size_t rows, std::size_t vectors, bool asks, class Cached>
inline void sum_block(const float* factors, std::size_t factor_stride, const Cached* cached,
                      std::size_t stride, PagePositions terms, std::size_t prefetch, Columns* sums,
                      std::size_t column) {
  constexpr std::size_t kBytes = vectors * kLanes * sizeof(Cached);
  Floats totals[rows][vectors];
  Floats block[rows][vectors];
  const auto each = [](auto body) __attribute__((always_inline)) {
    unrolled<rows * vectors>([&](std::size_t n) { body(n / vectors, n % vectors); });
  };
  each([&](std::size_t r, std::size_t v) { totals[r][v] = splat(0.0F); });
  for (std::size_t i = terms.first; i < terms.last;) {
    const std::size_t run_end = (i / kRun + 1) * kRun;
    const std::size_t end = run_end < terms.last ? run_end : terms.last;
    each([&](std::size_t r, std::size_t v) { block[r][v] = splat(0.0F); });
    for (; i < end; ++i) {
      const Cached* const row = cached + i * stride + column;
      if constexpr (asks) prefetch_ahead<kBytes>(row, prefetch);
      Floats term[vectors];
      unrolled<vectors>([&](std::size_t v) { term[v] = load_cached(row + v * kLanes); });
      unrolled<rows>([&](std::size_t r) {
        const Floats factor = splat(factors[r * factor_stride + i]);
        unrolled<vectors>(
            [&](std::size_t v) { block[r][v] = multiply_add(factor, term[v], block[r][v]); });
      });
    }
    each([&](std::size_t r, std::size_t v) { totals[r][v] = add(totals[r][v], block[r][v]); });
  }
  each([&](std::size_t r, std::size_t v) { store(sums[r] + column + v * kLanes, totals[r][v]); });
}

template <std::size_t rows, bool asks, class Cached>
void sum_columns(const float* factors, std::size_t factor_stride, const Cached* cached,
                 std::size_t stride, PagePositions terms, std::size_t prefetch, std::size_t columns,
                 Columns* sums) {
  std::size_t c = 0;
  for (; c + kFloatsAtOnce * kLanes <= columns; c += kFloatsAtOnce * kLanes) {
    sum_block<rows, kFloatsAtOnce, asks>(factors, factor_stride, cached, stride, terms, prefetch,
                                         sums, c);
  }
  for (; c < columns; c += kLanes) {
    sum_block<rows, 1, asks>(factors, factor_stride, cached, stride, terms, prefetch, sums, c);
  }
}

/// The largest of a page's scores.
inline float largest(const float* scores) {
  return largest_lane(max(max(load(scores), load(scores + kLanes)),
                          max(load(scores + 2 * kLanes), load(scores + 3 * kLanes))));
}

/// Scores become weights e^(s - maximum); positions that are not seen weigh e^-86 in the total and
/// nothing in the values. Returns the total.
inline float soften(float* scores, float maximum) {
  const Floats shift = splat(maximum);
  Floats total = splat(0.0F);
  for (std::size_t v = 0; v < kPositions; v += kLanes) {
    const Floats weights = exponential(subtract(load(scores + v), shift));
    store(scores + v, weights);
    total = add(total, weights);
  }
  return add_lanes(total);
}

inline void scale_positions(const float* scales, float* row) {
  if (scales != nullptr) {
    map_two(row, scales, kPositions, row, [](Floats a, Floats b) { return multiply(a, b); });
  }
}

/// Up to kRowBlock rows of a page.
template <class Cached>
class PageRows {
 public:
  PageRows(const AttentionPage& page, std::size_t first_row, std::size_t rows)
      : page_(page), first_row_(first_row), rows_(rows), seen_(page.seen + first_row) {}

  void attend() {
    if (page_.key_scales != nullptr) {
      prefetch_ahead<2 * kPositions * sizeof(float)>(page_.key_scales, page_.prefetch);
    }
    score();
    soften_and_merge();
    read_ = static_cast<const std::byte*>(page_.values);
    for (std::size_t d = 0; d < page_.stride; d += kColumns) {
      add_values(d, page_.stride - d < kColumns ? page_.stride - d : kColumns);
    }
  }

 private:
  /// weights_[r, j] = Σ_d q[r, d] * k[d, j]
  void score() {
    const float* const queries = page_.queries + first_row_ * page_.stride;
    const auto* const keys = static_cast<const Cached*>(page_.keys);
    if (rows_ <= kFewRows) {
      sum_few(queries, page_.stride, keys, kPositions, kColumns, weights_, [this](std::size_t) {
        return PagePositions{0, page_.head_dim};
      });
      return;
    }
    zero(weights_);
    read_ = static_cast<const std::byte*>(page_.keys);
    for (std::size_t d = 0; d < page_.head_dim; d += kRun) {
      const std::size_t count = page_.head_dim - d < kRun ? page_.head_dim - d : kRun;
      widen_run(keys + d * kPositions, kPositions, count, kColumns, run_, read_, page_.prefetch);
      add_rows(queries + d, page_.stride, kColumns, weights_, [count](std::size_t) {
        return PagePositions{0, count};
      });
    }
  }

  void soften_and_merge() {
    constexpr float kUnseen = -__builtin_inff();
    float* const maxima = page_.maxima + first_row_;
    float* const totals = page_.totals + first_row_;
    float page_maxima[kRowBlock];
    float page_totals[kRowBlock];
    for (std::size_t r = 0; r < rows_; ++r) {
      float* const row = weights_[r];
      scale_positions(page_.key_scales, row);
      for (std::size_t j = 0; j < seen_[r].first; ++j) row[j] = kUnseen;
      for (std::size_t j = seen_[r].last; j < kPositions; ++j) row[j] = kUnseen;
      page_maxima[r] = largest(row);
    }
    for (std::size_t r = 0; r < rows_; ++r) {
      page_totals[r] = soften(weights_[r], page_maxima[r]);
      scale_positions(page_.value_scales, weights_[r]);
    }
    for (std::size_t r = 0; r < rows_; ++r) {
      const float merged = maxima[r] > page_maxima[r] ? maxima[r] : page_maxima[r];
      keep_[r] = maxima[r] - merged;
      take_[r] = page_maxima[r] - merged;
      maxima[r] = merged;
    }
    for (std::size_t r = 0; r < rows_; r += kLanes) {
      store(keep_ + r, exponential(load(keep_ + r)));
      store(take_ + r, exponential(load(take_ + r)));
    }
    for (std::size_t r = 0; r < rows_; ++r) {
      totals[r] = totals[r] * keep_[r] + page_totals[r] * take_[r];
    }
  }

  /// out[r, d] = out[r, d] * keep[r] + (Σ_j weights[r, j] * v[j, d]) * take[r]
  void add_values(std::size_t d, std::size_t columns) {
    const auto* const values = static_cast<const Cached*>(page_.values) + d;
    if (rows_ <= kFewRows) {
      sum_few(weights_[0], kPositions, values, page_.stride, columns, sums_,
              [this](std::size_t r) { return seen_[r]; });
      merge_sums(d, columns);
      return;
    }
    zero(sums_);
    std::size_t first = kPositions;
    std::size_t last = 0;
    for (std::size_t r = 0; r < rows_; ++r) {
      first = seen_[r].first < first ? seen_[r].first : first;
      last = seen_[r].last > last ? seen_[r].last : last;
    }
    for (std::size_t j = first / kRun * kRun; j < last; j += kRun) {
      widen_run(values + j * page_.stride, page_.stride, kRun, columns, run_, read_,
                page_.prefetch);
      add_rows(weights_[0] + j, kPositions, columns, sums_, [this, j](std::size_t r) {
        return PagePositions{within_run(seen_[r].first, j), within_run(seen_[r].last, j)};
      });
    }
    merge_sums(d, columns);
  }

  /// out[r, d] = out[r, d] * keep[r] + sums_[r, d] * take[r]
  void merge_sums(std::size_t d, std::size_t columns) {
    for (std::size_t r = 0; r < rows_; ++r) {
      const Floats keep = splat(keep_[r]);
      const Floats take = splat(take_[r]);
      float* const out = page_.out + (first_row_ + r) * page_.stride + d;
      for (std::size_t c = 0; c < columns; c += kLanes) {
        store(out + c, add(multiply(load(out + c), keep), multiply(load(sums_[r] + c), take)));
      }
    }
  }

  /// A position of the page as one of the run that begins at `run`, or the run's nearer end.
  static std::size_t within_run(std::size_t position, std::size_t run) {
    if (position < run) return 0;
    return position - run < kRun ? position - run : kRun;
  }

  /// sums[r, c] = Σ_i factors[r, i] * cached[i * cached_stride + c] over each row's terms.
  template <class Terms>
  void sum_few(const float* factors, std::size_t stride, const Cached* cached,
               std::size_t cached_stride, std::size_t columns, Columns* sums, Terms terms) {
    for_alike_rows(terms, [&]<std::size_t rows, bool asks>(std::size_t r, PagePositions own) {
      sum_columns<rows, asks>(factors + r * stride, stride, cached, cached_stride, own,
                              page_.prefetch, columns, sums + r);
    });
  }

  /// Adds the run's terms to all rows' sums.
  template <class Terms>
  void add_rows(const float* factors, std::size_t stride, std::size_t columns, Columns* sums,
                Terms terms) {
    for_alike_rows(terms, [&]<std::size_t rows, bool asks>(std::size_t r, PagePositions own) {
      add_run<rows, asks>(factors + r * stride, stride, own.first, own.last, run_, columns,
                          sums + r, read_ + kRun * kAsked<Cached>, page_.prefetch);
    });
    read_ += kRun * (kAsked<Cached> + kLine);
  }

  /// body<rows, asks>(r, terms of r): rows whose terms are the same ones go together; the first
  /// ones ask for what lies ahead.
  template <class Terms, class Body>
  void for_alike_rows(Terms terms, Body body) {
    std::size_t r = 0;
    while (r < rows_) {
      const PagePositions own = terms(r);
      std::size_t alike = 1;
      while (alike < 4 && r + alike < rows_ && terms(r + alike).first == own.first &&
             terms(r + alike).last == own.last) {
        ++alike;
      }
      if (alike == 3) alike = 2;
      const auto go = [&]<bool asks>() {
        alike == 4   ? body.template operator()<4, asks>(r, own)
        : alike == 2 ? body.template operator()<2, asks>(r, own)
                     : body.template operator()<1, asks>(r, own);
      };
      if (r == 0) {
        go.template operator()<true>();
      } else {
        go.template operator()<false>();
      }
      r += alike;
    }
  }

  void zero(Columns* sums) const {
    for (std::size_t r = 0; r < rows_; ++r) {
      for (float& sum : sums[r]) sum = 0;
    }
  }

  const AttentionPage& page_;
  std::size_t first_row_, rows_;
  const PagePositions* seen_;
  const std::byte* read_ = nullptr;         // of keys, then of values
  alignas(64) Columns weights_[kRowBlock];  // scores, then weights
  alignas(64) Columns sums_[kRowBlock];
  alignas(64) Columns run_[kRun];
  float keep_[kRowBlock] = {};
  float take_[kRowBlock] = {};
};

template <class Cached>
void attend(const AttentionPage& page) {
  for (std::size_t row = 0; row < page.rows; row += kRowBlock) {
    PageRows<Cached>(page, row, page.rows - row < kRowBlock ? page.rows - row : kRowBlock).attend();
  }
}

}  // namespace
}  // namespace bitnet::kernels
