// SPDX-License-Identifier: MIT
#include "model/head_sketch.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <utility>

#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "model/row_blocks.h"
#include "quantize/row_loop.h"
#include "ternary/tile_layout.h"

namespace bitnet {
namespace {

/// Below, scoring every row costs less than a parallel region or two.
constexpr std::size_t kMinRows = 1024;
constexpr std::size_t kMaxColumns = 16384;
constexpr int kCodeOffset = 8;
constexpr int kDigitBase = 256;
constexpr int kLargestDigits = 127 * kDigitBase + 127;
// A row's sum over high digits, without the codes' offset, is an exact float.
static_assert(kMaxColumns * kCodeOffset * 127 < (1U << 24U));
/// z of the header.
constexpr double kDeviations = 2.4034;
constexpr std::size_t kChunksPerThread = 8;
/// Of a chunk, before its pages go back to the system: a fault maps up to 64 KB around its row. A
/// head that may as well stay in memory as a whole keeps them, sparing the next faults.
constexpr std::size_t kMostMappedRows = 64;
constexpr std::size_t kMayStayMapped = std::size_t{512} << 20;

/// The factor of |x| in a row's upper end, in units of its step. Roundings of the codes, of the
/// sketch's sums and of its bounds are below sqrt(K) 2^-15 together: the sums' terms are at most
/// 8.5 |x_k|, and six operations round them by 2^-24. The exact logit rounds at most K / 16 + 8
/// times, by 2^-24 of at most |w| |x| <= 7 sqrt(K) |x|; q6_k's rows round their numbers, too.
double deviations(std::size_t columns) {
  const auto k = static_cast<double>(columns);
  return kDeviations + std::sqrt(k) * (0x1p-15 + 7 * (k / 16 + 8) * 0x1p-24);
}

std::vector<float> random_dither(std::size_t columns) {
  std::mt19937_64 random(1964);
  std::vector<float> dither(columns);
  std::generate(dither.begin(), dither.end(),
                [&] { return (static_cast<float>(random() >> 48) + 0.5F) * 0x1p-16F - 0.5F; });
  return dither;
}

/// codes[k] = round(row[k] * inverse + dither[k]) + 8, by adding what leaves no room for a
/// fraction.
void encode_row(const float* row, float inverse, const std::vector<float>& dither,
                std::uint8_t* codes) {
  constexpr float kRounder = 0x1.8p23F + kCodeOffset;
  for (std::size_t k = 0; k < dither.size(); ++k) {
    const auto bits = std::bit_cast<std::uint32_t>(row[k] * inverse + dither[k] + kRounder);
    codes[k] = static_cast<std::uint8_t>(bits & 15U);
  }
}

/// Keeps the `top` largest estimates: the smallest of them in front.
void offer(std::vector<HeadSketch::Estimate>& best, std::size_t top,
           HeadSketch::Estimate estimate) {
  constexpr auto kLogit = &HeadSketch::Estimate::logit;
  if (best.size() < top) {
    best.push_back(estimate);
    std::ranges::push_heap(best, std::greater<>{}, kLogit);
  } else if (estimate.logit > best.front().logit) {
    std::ranges::pop_heap(best, std::greater<>{}, kLogit);
    best.back() = estimate;
    std::ranges::push_heap(best, std::greater<>{}, kLogit);
  }
}

}  // namespace

bool HeadSketch::suits(const FloatMatrix& head) {
  return head.rows() >= kMinRows && head.columns() <= kMaxColumns;
}

HeadSketch::HeadSketch(FloatMatrix head, const Runtime& runtime)
    : head_(std::move(head)),
      steps_per_panel_((head_.columns() + kNibbleStepInputs - 1) / kNibbleStepInputs),
      tiles_(panel_count(head_.rows()) * steps_per_panel_ * kPanelStepBytes),
      steps_(head_.rows()),
      dither_(random_dither(head_.columns())) {
  for_each_row_block(panel_count(head_.rows()), kPanelRows * head_.columns(),
                     [&](std::size_t first, std::size_t count) {
                       parallel_rows(runtime, count,
                                     [&](std::size_t i) { encode_panel(first + i, runtime); });
                       const std::size_t row = first * kPanelRows;
                       head_.release_rows(row, std::min(count * kPanelRows, head_.rows() - row));
                     });
}

void HeadSketch::encode_panel(std::size_t panel, const Runtime& runtime) {
  constexpr float kSmallest = 0x1p-100F;  // of max|w|, so that its inverse is finite
  AlignedVector<float>& row = row_scratch();
  thread_local AlignedVector<std::uint8_t> codes;
  row.resize(head_.columns());
  codes.assign(steps_per_panel_ * kNibbleStepInputs, kCodeOffset);
  std::uint8_t* const tiles = tiles_.data() + panel * steps_per_panel_ * kPanelStepBytes;
  const std::size_t first = panel * kPanelRows;
  for (std::size_t i = 0; i < kPanelRows && first + i < head_.rows(); ++i) {
    head_.read_row(first + i, runtime, row.data());
    const std::uint32_t absmax_bits = runtime.kernels().absmax_bits(row.data(), row.size());
    if (absmax_bits >= kNonFiniteBits) {
      throw_if_non_finite("output head", row.data(), row.size(), first + i);
    }
    const float absmax = std::max(std::bit_cast<float>(absmax_bits), kSmallest);
    steps_[first + i] = absmax / 7;
    encode_row(row.data(), 7 / absmax, dither_, codes.data());
    for (std::size_t step = 0; step < steps_per_panel_; ++step) {
      std::uint32_t halves[2];
      std::memcpy(halves, codes.data() + step * kNibbleStepInputs, sizeof halves);
      const std::uint32_t dword = halves[0] | halves[1] << 4;
      std::memcpy(tiles + step * kPanelStepBytes + 4 * i, &dword, sizeof dword);
    }
  }
}

void HeadSketch::prepare(const float* x, Query& query) const {
  const std::size_t columns = head_.columns();
  query.high.assign(steps_per_panel_ * kNibbleStepInputs, 0);
  query.low.assign(query.high.size(), 0);
  float absmax = 0;
  double squares = 0;
  double dither_dot = 0;
  for (std::size_t k = 0; k < columns; ++k) {
    absmax = std::max(absmax, std::abs(x[k]));
    squares += static_cast<double>(x[k]) * x[k];
    dither_dot += static_cast<double>(dither_[k]) * x[k];
  }
  const double scale = static_cast<double>(absmax) / kLargestDigits;
  query.scale = static_cast<float>(scale);
  std::int32_t high_sum = 0;
  std::int32_t low_sum = 0;
  for (std::size_t k = 0; k < columns && absmax != 0; ++k) {
    const auto q = static_cast<int>(std::lrint(x[k] / scale));
    const int high = (q + kDigitBase / 2) >> 8;
    const int low = q - high * kDigitBase;
    query.high[k] = static_cast<std::int8_t>(high);
    query.low[k] = static_cast<std::int8_t>(low);
    high_sum += high;
    low_sum += low;
  }
  query.high_offset = kCodeOffset * high_sum;
  query.low_offset = kCodeOffset * low_sum;
  query.dither_dot = static_cast<float>(dither_dot);
  // By q6_k x is rounded to fixed point, which moves a logit by less than 4 K of its scale as well.
  const double fixed_point_scale =
      static_cast<double>(absmax) / kernels::FixedPointInputs::kLargest;
  query.reach = static_cast<float>(
      1.000001 * (deviations(columns) * std::sqrt(squares) +
                  4 * static_cast<double>(columns) * (scale + fixed_point_scale)));
}

void HeadSketch::bound_panel(std::size_t panel, const Query& query, std::size_t top, float* upper,
                             std::vector<Estimate>& best, const Runtime& runtime) const {
  std::int32_t high[kPanelRows];
  std::int32_t low[kPanelRows];
  runtime.kernels().nibble_dot(tiles_.data() + panel * steps_per_panel_ * kPanelStepBytes,
                               steps_per_panel_, query.high.data(), query.low.data(),
                               kernels::tile_prefetch(), high, low);
  const std::size_t first = panel * kPanelRows;
  const std::size_t count = std::min(kPanelRows, head_.rows() - first);
  for (std::size_t i = 0; i < count; ++i) {
    const float product = static_cast<float>(high[i] - query.high_offset) * kDigitBase +
                          static_cast<float>(low[i] - query.low_offset);
    const float step = steps_[first + i];
    const float middle = step * (query.scale * product - query.dither_dot);
    upper[first + i] = middle + step * query.reach;
    offer(best, top, {.logit = middle, .row = first + i});
  }
}

void HeadSketch::multiply_top(const float* x, std::size_t tokens, std::size_t top, float* logits,
                              const Runtime& runtime) {
  const std::size_t columns = head_.columns();
  if (top >= head_.rows() || runtime.kernels().absmax_bits(x, tokens * columns) >= kNonFiniteBits) {
    exact_rows_ = tokens * head_.rows();
    head_.multiply(x, tokens, logits, runtime);
    return;
  }
  head_.prepare(x, tokens, vectors_);
  queries_.resize(tokens);
  for (std::size_t t = 0; t < tokens; ++t) {
    prepare(x + t * columns, queries_[t]);
  }
  find_bounds(top, logits, runtime);
  find_thresholds(top, logits, runtime);
  score_possible(logits, runtime);
}

void HeadSketch::find_bounds(std::size_t top, float* upper, const Runtime& runtime) {
  const std::size_t tokens = queries_.size();
  chunks_ = std::min(panel_count(head_.rows()),
                     kChunksPerThread * static_cast<std::size_t>(runtime.threads()));
  best_.resize(chunks_ * tokens);
  mapped_rows_.resize(chunks_);
  runtime.pool().parallel_for(chunks_, [&](std::size_t chunk) {
    std::vector<Estimate>* const best = best_.data() + chunk * tokens;
    std::for_each_n(best, tokens, [](std::vector<Estimate>& estimates) { estimates.clear(); });
    for (std::size_t panel = first_panel(chunk); panel < first_panel(chunk + 1); ++panel) {
      for (std::size_t t = 0; t < tokens; ++t) {
        bound_panel(panel, queries_[t], top, upper + t * head_.rows(), best[t], runtime);
      }
    }
  });
}

void HeadSketch::find_thresholds(std::size_t top, float* logits, const Runtime& runtime) {
  const std::size_t tokens = queries_.size();
  thresholds_.resize(tokens);
  runtime.pool().parallel_for(tokens, [&](std::size_t t) {
    std::vector<Estimate>& best = best_[t];
    for (std::size_t chunk = 1; chunk < chunks_; ++chunk) {
      for (const Estimate estimate : best_[chunk * tokens + t]) offer(best, top, estimate);
    }
    thread_local std::vector<std::size_t> rows;
    rows.resize(best.size());
    std::ranges::transform(best, rows.begin(), &Estimate::row);
    float* const of_token = logits + t * head_.rows();
    head_.dot_rows(rows, vectors_, t, of_token, runtime);
    thresholds_[t] = of_token[*std::ranges::min_element(
        rows, std::less<>{}, [&](std::size_t row) { return of_token[row]; })];
  });
}

void HeadSketch::score_possible(float* logits, const Runtime& runtime) {
  const std::size_t rows = head_.rows();
  std::atomic<std::size_t> exact_rows = 0;
  runtime.pool().parallel_for(chunks_, [&](std::size_t chunk) {
    std::size_t count = 0;
    const std::size_t last = std::min(rows, first_panel(chunk + 1) * kPanelRows);
    thread_local std::vector<std::size_t> possible;
    for (std::size_t t = 0; t < queries_.size(); ++t) {
      float* const of_token = logits + t * rows;  // hold the upper ends
      possible.clear();
      possible.reserve(last - first_panel(chunk) * kPanelRows);
      for (std::size_t v = first_panel(chunk) * kPanelRows; v < last; ++v) {
        if (of_token[v] < thresholds_[t]) {
          of_token[v] = -std::numeric_limits<float>::infinity();
        } else {
          possible.push_back(v);
        }
      }
      head_.dot_rows(possible, vectors_, t, of_token, runtime);
      count += possible.size();
    }
    exact_rows += count;
    mapped_rows_[chunk] += count;
    if (mapped_rows_[chunk] >= kMostMappedRows && head_.stored_bytes() > kMayStayMapped) {
      const std::size_t first = first_panel(chunk) * kPanelRows;
      head_.release_rows(first, last - first);
      mapped_rows_[chunk] = 0;
    }
  });
  exact_rows_ = exact_rows;
}

}  // namespace bitnet
