// SPDX-License-Identifier: MIT
// HeadSketch: finds the most likely tokens from four bits a weight, and scores only those with the
// whole output head. Half of a step of generation would otherwise be reading the head.
//
// Row w of the head [V, K] is kept as codes c_k = round(w_k / d + u_k) in -8..7 with d = max|w| / 7
// and u a fixed vector of random numbers, uniform over 2^16 equally spaced points of (-1/2, 1/2)
// (subtractive dither: L. Schuchman, 1964). So w_k = d (c_k - u_k + e_k), where each e_k, whatever
// w_k is, is uniform over as many points of such an interval and independent of the others, and
//   w·x = d (c·x - u·x + e·x).
// e_k is a sum of 16 independent signs of size 2^-2 ... 2^-17, so e·x is sub-Gaussian with its own
// variance |x|² / 12 as variance factor (Hoeffding, 1963), and
//   P(e·x > z |x|) <= exp(-6 z²) = 2^-50  for  z = sqrt(50 ln 2 / 6) = 2.403.
// x is written as s q + r with q of two int8 digits, |r_k| <= s / 2 and |c_k| <= 8, hence
//   logit <= d (s c·q - u·x) + d ((z + g) |x| + 4 K s),
// g covering the rounding of float (head_sketch.cpp). The rows of the k largest estimates are
// scored exactly. A row whose upper end lies below the least of their logits cannot be among the k
// largest: all others are scored, too. u is drawn before any x is seen and nothing that it decides
// shows in a result, so for a vocabulary of 128000 the k best logits of a token differ from those
// of the whole head with a probability below 2^-33.
#pragma once

#include <bitnet/runtime.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_vector.h"
#include "model/float_matrix.h"
#include "ternary/tile_layout.h"

namespace bitnet {

class HeadSketch {
 public:
  /// Whether a sketch of this head would spare work, and its sums stay within int32.
  static bool suits(const FloatMatrix& head);
  /// Keeps a copy of `head` (which shares its bytes). NonFiniteError for a weight that is none.
  HeadSketch(FloatMatrix head, const Runtime& runtime);

  /// For each row x [T, K]: logits [T, V] of all tokens that can be among its `top` most likely, as
  /// FloatMatrix::multiply gives them, and -infinity for the others. One call at a time.
  void multiply_top(const float* x, std::size_t tokens, std::size_t top, float* logits,
                    const Runtime& runtime);

  /// What scoring one token reads; what it scored exactly in the last call.
  std::size_t memory_bytes() const { return tiles_.size() + steps_.size() * sizeof(float); }
  std::size_t exact_rows() const { return exact_rows_; }

  /// Of a row's logit, by the sketch: the middle of what it can be.
  struct Estimate {
    float logit;
    std::size_t row;
  };

 private:
  /// One x: scale (256 high + low).
  struct Query {
    std::vector<std::int8_t> high, low;  // [K, padded to whole steps]
    std::int32_t high_offset = 0;        // what the codes' offset adds to the sums
    std::int32_t low_offset = 0;
    float scale = 0;       // s
    float dither_dot = 0;  // u·x
    float reach = 0;       // from an estimate to its upper end, in units of the row's d
  };
  void encode_panel(std::size_t panel, const Runtime& runtime);
  void prepare(const float* x, Query& query) const;
  /// Writes the upper ends of a panel's rows and offers their estimates to `best`.
  void bound_panel(std::size_t panel, const Query& query, std::size_t top, float* upper,
                   std::vector<Estimate>& best, const Runtime& runtime) const;
  /// Upper ends of all rows for each query, and the `top` largest estimates of each chunk.
  void find_bounds(std::size_t top, float* upper, const Runtime& runtime);
  /// What an upper end must reach for its row to be scored: the least logit behind those estimates.
  void find_thresholds(std::size_t top, float* logits, const Runtime& runtime);
  /// Takes upper ends in `logits` and leaves logits.
  void score_possible(float* logits, const Runtime& runtime);
  std::size_t first_panel(std::size_t chunk) const {
    return panel_count(head_.rows()) * chunk / chunks_;
  }

  FloatMatrix head_;
  std::size_t steps_per_panel_;
  AlignedVector<std::uint8_t> tiles_;  // nibble tiles of c + 8
  std::vector<float> steps_;           // [V]: d
  std::vector<float> dither_;          // [K]: u
  // Of the last call.
  FloatMatrix::Vectors vectors_;
  std::vector<Query> queries_;
  std::size_t chunks_ = 1;                   // of panels, for threads
  std::vector<std::vector<Estimate>> best_;  // [chunks, T]: the largest, a heap
  std::vector<float> thresholds_;            // [T]
  std::vector<std::size_t> mapped_rows_;     // [chunks]: read since their pages were given back
  std::size_t exact_rows_ = 0;
};

}  // namespace bitnet
