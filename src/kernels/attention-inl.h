// SPDX-License-Identifier: MIT
// Softmax attention over one page of a KV cache, once, over the vocabulary of row_ops-inl.h.
//
// Keys lie transposed, [D, 64]: lane = position, so that scores need no horizontal sums. Values lie
// [64, D]: lane = feature. Sums run in the order of their index, in runs of 16 terms whose sums are
// then added up (a quarter of the rounding error of one long run), so results depend neither on the
// registers at hand nor on how many query rows are computed together.
#pragma once

#include "kernels/elementwise-inl.h"

namespace bitnet::kernels {
namespace {

inline Floats load_cached(const float* p) { return load(p); }
inline Floats load_cached(const std::uint16_t* p) { return load_f16(p); }
inline Floats load_cached(const std::int8_t* p) { return to_floats(load_int8(p)); }

constexpr std::size_t kPositions = AttentionPage::kPositions;
constexpr std::size_t kMaxRowsAtOnce = 4;

/// sums += Σ of term(i, v, r) over [first, last) in runs that end at multiples of kRun.
template <std::size_t rows, std::size_t vectors, class LoadTerm>
inline void sum_in_runs(std::size_t first, std::size_t last, Floats (&sums)[rows][vectors],
                        LoadTerm term) {
  constexpr std::size_t kRun = AttentionPage::kRun;
  for (auto& row : sums) {
    for (Floats& sum : row) sum = splat(0.0F);
  }
  while (first < last) {
    const std::size_t run_end = first - first % kRun + kRun;
    const std::size_t end = run_end < last ? run_end : last;
    Floats run[rows][vectors];
    for (auto& row : run) {
      for (Floats& sum : row) sum = splat(0.0F);
    }
    for (; first < end; ++first) term(first, run);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t v = 0; v < vectors; ++v) sums[r][v] = add(sums[r][v], run[r][v]);
    }
  }
}

/// scores[r, j] = Σ_d q[r, d] * k[d, j] for `vectors` blocks of 16 positions from `first` on.
template <std::size_t rows, std::size_t vectors, class Cached>
inline void score_block(const float* queries, std::size_t stride, std::size_t head_dim,
                        const Cached* keys, std::size_t first, float (*scores)[kPositions]) {
  Floats sums[rows][vectors];
  sum_in_runs<rows, vectors>(0, head_dim, sums, [&](std::size_t d, auto& run) {
    for (std::size_t v = 0; v < vectors; ++v) {
      const Floats key = load_cached(keys + d * kPositions + first + v * kLanes);
      for (std::size_t r = 0; r < rows; ++r) {
        run[r][v] = add(run[r][v], multiply(splat(queries[r * stride + d]), key));
      }
    }
  });
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t v = 0; v < vectors; ++v) store(scores[r] + first + v * kLanes, sums[r][v]);
  }
}

/// out[r, d] = out[r, d] * keep[r] + (Σ_j w[r, j] * v[j, d]) * take[r] for `vectors` blocks of 16
/// features.
template <std::size_t rows, std::size_t vectors, class Cached>
inline void value_block(const float (*weights)[kPositions], std::size_t first, std::size_t last,
                        const Cached* values, std::size_t stride, const float* keep,
                        const float* take, float* out, std::size_t out_stride) {
  Floats sums[rows][vectors];
  sum_in_runs<rows, vectors>(first, last, sums, [&](std::size_t j, auto& run) {
    for (std::size_t v = 0; v < vectors; ++v) {
      const Floats value = load_cached(values + j * stride + v * kLanes);
      for (std::size_t r = 0; r < rows; ++r) {
        run[r][v] = add(run[r][v], multiply(splat(weights[r][j]), value));
      }
    }
  });
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t v = 0; v < vectors; ++v) {
      float* const target = out + r * out_stride + v * kLanes;
      store(target,
            add(multiply(load(target), splat(keep[r])), multiply(sums[r][v], splat(take[r]))));
    }
  }
}

/// The largest of 64 lanes.
inline float largest(const float* scores) {
  const Floats four = max(max(load(scores), load(scores + kLanes)),
                          max(load(scores + 2 * kLanes), load(scores + 3 * kLanes)));
  float lanes[kLanes];
  store(lanes, four);
  float result = lanes[0];
  for (const float lane : lanes) result = lane > result ? lane : result;
  return result;
}

inline float exponential_of(float x) {
  float lanes[kLanes];
  store(lanes, exponential(splat(x)));
  return lanes[0];
}

/// Scores become weights e^(s - max); positions outside [first, last) weigh e^-86 in the total and
/// nothing in the values. Returns the page's total and maximum.
struct PageSoftmax {
  float maximum;
  float total;
};
inline PageSoftmax soften(float* scores, std::size_t first, std::size_t last) {
  constexpr float kUnseen = -__builtin_inff();
  for (std::size_t j = 0; j < first; ++j) scores[j] = kUnseen;
  for (std::size_t j = last; j < kPositions; ++j) scores[j] = kUnseen;
  const float maximum = largest(scores);
  const Floats shift = splat(maximum);
  Floats total = splat(0.0F);
  for (std::size_t v = 0; v < kPositions; v += kLanes) {
    const Floats weights = exponential(subtract(load(scores + v), shift));
    store(scores + v, weights);
    total = add(total, weights);
  }
  float lanes[kLanes];
  store(lanes, total);
  return {maximum, add_lanes(lanes)};
}

template <std::size_t rows, class Cached>
inline void attend_rows(const AttentionPage& page, std::size_t first_row) {
  const std::size_t head_dim = page.head_dim;
  const std::size_t stride = page.stride;
  const auto* keys = static_cast<const Cached*>(page.keys);
  const auto* values = static_cast<const Cached*>(page.values);
  float scores[rows][kPositions];
  for (std::size_t j = 0; j < kPositions; j += kFloatsAtOnce * kLanes) {
    score_block<rows, kFloatsAtOnce>(page.queries + first_row * stride, stride, head_dim, keys, j,
                                     scores);
  }
  float keep[rows];
  float take[rows];
  for (std::size_t r = 0; r < rows; ++r) {
    if (page.key_scales != nullptr) {
      map_two(scores[r], page.key_scales, kPositions, scores[r],
              [](Floats a, Floats b) { return multiply(a, b); });
    }
    const PageSoftmax softmax = soften(scores[r], page.first, page.last);
    float& maximum = page.maxima[first_row + r];
    float& total = page.totals[first_row + r];
    const float merged = maximum > softmax.maximum ? maximum : softmax.maximum;
    keep[r] = exponential_of(maximum - merged);
    take[r] = exponential_of(softmax.maximum - merged);
    total = total * keep[r] + softmax.total * take[r];
    maximum = merged;
    if (page.value_scales != nullptr) {
      map_two(scores[r], page.value_scales, kPositions, scores[r],
              [](Floats a, Floats b) { return multiply(a, b); });
    }
  }
  float* const out = page.out + first_row * stride;
  std::size_t d = 0;
  for (; d + kFloatsAtOnce * kLanes <= stride; d += kFloatsAtOnce * kLanes) {
    value_block<rows, kFloatsAtOnce>(scores, page.first, page.last, values + d, stride, keep, take,
                                     out + d, stride);
  }
  for (; d < stride; d += kLanes) {
    value_block<rows, 1>(scores, page.first, page.last, values + d, stride, keep, take, out + d,
                         stride);
  }
}

template <class Cached>
void attend(const AttentionPage& page) {
  std::size_t row = 0;
  for (; row + kMaxRowsAtOnce <= page.rows; row += kMaxRowsAtOnce) {
    attend_rows<kMaxRowsAtOnce, Cached>(page, row);
  }
  for (; row + 2 <= page.rows; row += 2) {
    attend_rows<2, Cached>(page, row);
  }
  if (row < page.rows) {
    attend_rows<1, Cached>(page, row);
  }
}

}  // namespace
}  // namespace bitnet::kernels
