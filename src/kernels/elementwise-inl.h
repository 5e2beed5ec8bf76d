// SPDX-License-Identifier: MIT
// Kernels over vectors of floats that a transformer needs beside its matrix products: each
// algorithm once, over the vocabulary of row_ops-inl.h.
#pragma once

#include "kernels/row_ops-inl.h"

namespace bitnet::kernels {
namespace {

/// out(i, load(i)) over [0, n) in blocks of 16; `compute` maps blocks to a block. A last part is
/// computed on a padded copy.
template <class Compute>
inline void map_two(const float* a, const float* b, std::size_t n, float* out, Compute compute) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    store(out + i, compute(load(a + i), load(b + i)));
  }
  if (i < n) {
    float tail_a[kLanes] = {};
    float tail_b[kLanes] = {};
    float results[kLanes];
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      tail_a[lane] = a[i + lane];
      tail_b[lane] = b[i + lane];
    }
    store(results, compute(load(tail_a), load(tail_b)));
    for (std::size_t lane = 0; i + lane < n; ++lane) {
      out[i + lane] = results[lane];
    }
  }
}

// exp(x) = 2^k exp(r), k = round(x log2 e), r = x - k ln 2 in two parts whose first has 9 bits, so
// that k times it is exact. The polynomial is Cephes' expf (S. Moshier): below 2 ulp on
// |r| <= ln 2 / 2, evaluated without fused operations. Arguments are clamped to ±86, where the
// result is still a normal number: e^-86 = 4.5e-38 stands for everything below.
inline Floats exponential(Floats x) {
  constexpr float kLimit = 86.0F;
  x = min(max(x, splat(-kLimit)), splat(kLimit));
  const Ints k = round_half_even(multiply(x, splat(1.44269504F)));
  const Floats power = to_floats(k);
  Floats r = subtract(x, multiply(power, splat(0.693359375F)));
  r = subtract(r, multiply(power, splat(-2.12194440e-4F)));
  Floats p = splat(1.9875691500e-4F);
  for (const float coefficient :
       {1.3981999507e-3F, 8.3334519073e-3F, 4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F}) {
    p = add(multiply(p, r), splat(coefficient));
  }
  p = add(add(multiply(p, multiply(r, r)), r), splat(1.0F));
  return scale_by_power(p, k);
}

/// x / (1 + e^-y)
inline Floats times_sigmoid(Floats x, Floats y) {
  const Floats one = splat(1.0F);
  return divide(x, add(one, exponential(subtract(splat(0.0F), y))));
}

void add_to(const float* x, std::size_t n, float* y) {
  map_two(y, x, n, y, [](Floats a, Floats b) { return add(a, b); });
}

void exponentials(const float* x, std::size_t n, float shift, float* out) {
  const Floats shifts = splat(shift);
  map_two(x, x, n, out, [&](Floats a, Floats) { return exponential(subtract(a, shifts)); });
}

void gate_relu2(const float* gate, const float* up, std::size_t n, float* out) {
  map_two(gate, up, n, out, [](Floats g, Floats u) {
    const Floats positive = max(g, splat(0.0F));
    return multiply(multiply(positive, positive), u);
  });
}

void gate_silu(const float* gate, const float* up, std::size_t n, float* out) {
  map_two(gate, up, n, out, [](Floats g, Floats u) { return multiply(times_sigmoid(g, g), u); });
}

// 0.5 g (1 + tanh y) = g / (1 + e^-2y), y = sqrt(2 / pi) (g + 0.044715 g³)
void gate_gelu(const float* gate, const float* up, std::size_t n, float* out) {
  map_two(gate, up, n, out, [](Floats g, Floats u) {
    const Floats cubic = multiply(multiply(multiply(g, g), g), splat(0.044715F));
    const Floats twice_y = multiply(add(g, cubic), splat(1.5957691216F));
    return multiply(times_sigmoid(g, twice_y), u);
  });
}

void rotate(float* x, const float* cosines, const float* sines, std::size_t half) {
  float first[kLanes];
  float second[kLanes];
  float tail_cosines[kLanes];
  float tail_sines[kLanes];
  const auto turn = [](Floats a, Floats b, Floats cosine, Floats sine, float* out_a, float* out_b) {
    store(out_a, subtract(multiply(a, cosine), multiply(b, sine)));
    store(out_b, add(multiply(b, cosine), multiply(a, sine)));
  };
  std::size_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    turn(load(x + i), load(x + half + i), load(cosines + i), load(sines + i), x + i, x + half + i);
  }
  if (i < half) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const bool inside = i + lane < half;
      first[lane] = inside ? x[i + lane] : 0.0F;
      second[lane] = inside ? x[half + i + lane] : 0.0F;
      tail_cosines[lane] = inside ? cosines[i + lane] : 0.0F;
      tail_sines[lane] = inside ? sines[i + lane] : 0.0F;
    }
    turn(load(first), load(second), load(tail_cosines), load(tail_sines), first, second);
    for (std::size_t lane = 0; i + lane < half; ++lane) {
      x[i + lane] = first[lane];
      x[half + i + lane] = second[lane];
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
