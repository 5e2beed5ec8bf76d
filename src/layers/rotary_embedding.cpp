// SPDX-License-Identifier: MIT
#include "layers/rotary_embedding.h"

#include <cmath>
#include <vector>

namespace bitnet {
namespace {

/// theta^(-1/n), by Newton's method on f(r) = 1 / r^n - theta: pow() may differ in its last bit
/// between machines. r r^n theta converges from below: f is convex and falling, and the start is
/// smaller than the root for theta >= 1.
double inverse_root(double theta, std::size_t n) {
  double r = 1 / theta;
  // The error shrinks by (1 - 1/n) a step at first, then quadratically.
  const auto most_steps = static_cast<std::size_t>(64 * n + 64);
  for (std::size_t step = 0; step < most_steps; ++step) {
    double power = 1;
    for (std::size_t i = 0; i < n; ++i) {
      power *= r;
    }
    const double next = r + r * (1 - power * theta) / static_cast<double>(n);
    if (!(next > r)) {
      break;
    }
    r = next;
  }
  return r;
}

struct Turn {
  double cosine;
  double sine;
};

/// Taylor series; |angle| <= 1, where 22 terms reach the last bit.
Turn turn_by(double angle) {
  Turn turn{1, angle};
  double cosine_term = 1;
  double sine_term = angle;
  for (int k = 1; k <= 11; ++k) {
    cosine_term *= -angle * angle / ((2.0 * k - 1) * (2.0 * k));
    sine_term *= -angle * angle / ((2.0 * k) * (2.0 * k + 1));
    turn.cosine += cosine_term;
    turn.sine += sine_term;
  }
  return turn;
}

}  // namespace

RotaryEmbedding::RotaryEmbedding(std::size_t head_dim, double theta, double scaling_factor,
                                 std::size_t max_positions)
    : half_(head_dim / 2), cosines_(max_positions * half_), sines_(max_positions * half_) {
  const double ratio = inverse_root(theta, half_);
  double frequency = 1 / scaling_factor;
  for (std::size_t i = 0; i < half_; ++i, frequency *= ratio) {
    const Turn step = turn_by(frequency);
    // Position by position: 32768 products of unit numbers stay within 1e-11 of the angle.
    Turn turn{1, 0};
    for (std::size_t position = 0; position < max_positions; ++position) {
      cosines_[position * half_ + i] = static_cast<float>(turn.cosine);
      sines_[position * half_ + i] = static_cast<float>(turn.sine);
      turn = {turn.cosine * step.cosine - turn.sine * step.sine,
              turn.sine * step.cosine + turn.cosine * step.sine};
    }
  }
}

}  // namespace bitnet
