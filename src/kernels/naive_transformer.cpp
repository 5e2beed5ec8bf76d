// SPDX-License-Identifier: MIT
#include "kernels/naive_transformer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/naive_kernels.h"

namespace bitnet::kernels::naive {
namespace {

/// The polynomial that elementwise-inl.h documents, with the library's functions around it. How far
/// it is from e^x is another test (tests/kernels/transformer_kernels_test.cpp).
float exponential(float x) {
  const float clamped = std::clamp(x, -86.0F, 86.0F);
  const float power = std::nearbyint(clamped * 1.44269504F);
  const float r = (clamped - power * 0.693359375F) - power * -2.12194440e-4F;
  constexpr std::array kCoefficients = {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F,
                                        4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
  float p = 0.0F;
  for (const float coefficient : kCoefficients) {
    p = p * r + coefficient;
  }
  return std::ldexp((p * (r * r) + r) + 1.0F, static_cast<int>(power));
}

float sigmoid_product(float x, float y) { return x / (1.0F + exponential(0.0F - y)); }

float relu2(float g) { return std::max(g, 0.0F) * std::max(g, 0.0F); }
float silu(float g) { return sigmoid_product(g, g); }
float gelu(float g) { return sigmoid_product(g, (g + g * g * g * 0.044715F) * 1.5957691216F); }

void gate_all(float (*activation)(float), const float* gate, const float* up, std::size_t n,
              float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = activation(gate[i]) * up[i];
  }
}

float widen(const void* cached, std::size_t i, float /*tag*/) {
  return static_cast<const float*>(cached)[i];
}
float widen(const void* cached, std::size_t i, std::uint16_t /*tag*/) {
  float result = 0;
  kNaiveTable.f16_to_f32(static_cast<const std::uint16_t*>(cached) + i, &result, 1);
  return result;
}
float widen(const void* cached, std::size_t i, std::int8_t /*tag*/) {
  return static_cast<float>(static_cast<const std::int8_t*>(cached)[i]);
}

float half_at(const std::byte* bytes) {
  std::uint16_t half = 0;
  std::memcpy(&half, bytes, sizeof half);
  float result = 0;
  kNaiveTable.f16_to_f32(&half, &result, 1);
  return result;
}

/// Lane i += lane i + 8, then + 4, + 2, + 1.
float add_lanes(std::array<float, 16> lane) {
  for (const std::size_t half : {8, 4, 2, 1}) {
    for (std::size_t i = 0; i < half; ++i) {
      lane[i] += lane[i + half];
    }
  }
  return lane[0];
}

float dot(const float* a, const float* b, std::size_t n) {
  std::array<float, 16> lane{};
  for (std::size_t i = 0; i < n; ++i) {
    lane[i % 16] = std::fma(a[i], b[i], lane[i % 16]);
  }
  return add_lanes(lane);
}

/// Σ factors(i).first * factors(i).second over [first, last), fused in runs of 16.
template <class Factors>
float sum_in_runs(std::size_t first, std::size_t last, Factors factors) {
  float sum = 0;
  for (std::size_t run = 0; run < (last + 15) / 16; ++run) {
    float run_sum = 0;
    for (std::size_t i = std::max(first, 16 * run); i < std::min(last, 16 * run + 16); ++i) {
      const auto [a, b] = factors(i);
      run_sum = std::fma(a, b, run_sum);
    }
    sum += run_sum;
  }
  return sum;
}

template <class Cached>
float score(const AttentionPage& page, const float* query, std::size_t j) {
  const float sum = sum_in_runs(0, page.head_dim, [&](std::size_t d) {
    return std::pair(query[d], widen(page.keys, d * AttentionPage::kPositions + j, Cached{}));
  });
  return page.key_scales == nullptr ? sum : sum * page.key_scales[j];
}

template <class Cached>
void attend(const AttentionPage& page) {
  for (std::size_t r = 0; r < page.rows; ++r) {
    std::array<float, AttentionPage::kPositions> weights;
    weights.fill(-std::numeric_limits<float>::infinity());
    const PagePositions seen = page.seen[r];
    for (std::size_t j = seen.first; j < seen.last; ++j) {
      weights[j] = score<Cached>(page, page.queries + r * page.stride, j);
    }
    const float maximum = *std::ranges::max_element(weights);
    for (float& weight : weights) {
      weight = exponential(weight - maximum);
    }
    const std::array<float, AttentionPage::kPositions> ones = [] {
      std::array<float, AttentionPage::kPositions> values{};
      values.fill(1.0F);
      return values;
    }();
    const float total = dot(weights.data(), ones.data(), weights.size());
    const float merged = std::max(page.maxima[r], maximum);
    const float keep = exponential(page.maxima[r] - merged);
    const float take = exponential(maximum - merged);
    page.totals[r] = page.totals[r] * keep + total * take;
    page.maxima[r] = merged;
    for (std::size_t d = 0; d < page.stride; ++d) {
      const float sum = sum_in_runs(seen.first, seen.last, [&](std::size_t j) {
        const float scale = page.value_scales == nullptr ? 1.0F : page.value_scales[j];
        return std::pair(weights[j] * scale, widen(page.values, j * page.stride + d, Cached{}));
      });
      float& out = page.out[r * page.stride + d];
      out = out * keep + sum * take;
    }
  }
}

}  // namespace

void dots(const float* rows, std::size_t row_count, const float* vectors, std::size_t vector_count,
          std::size_t n, float* out, std::size_t out_stride) {
  for (std::size_t m = 0; m < vector_count; ++m) {
    for (std::size_t r = 0; r < row_count; ++r) {
      out[m * out_stride + r] = dot(rows + r * n, vectors + m * n, n);
    }
  }
}

void add_to(const float* x, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; ++i) {
    y[i] += x[i];
  }
}

void exponentials(const float* x, std::size_t n, float shift, float* out) {
  std::transform(x, x + n, out, [shift](float value) { return exponential(value - shift); });
}

void gate_relu2(const float* gate, const float* up, std::size_t n, float* out) {
  gate_all(relu2, gate, up, n, out);
}
void gate_silu(const float* gate, const float* up, std::size_t n, float* out) {
  gate_all(silu, gate, up, n, out);
}
void gate_gelu(const float* gate, const float* up, std::size_t n, float* out) {
  gate_all(gelu, gate, up, n, out);
}

void rotate(float* x, const float* cosines, const float* sines, std::size_t half) {
  for (std::size_t i = 0; i < half; ++i) {
    const float a = x[i];
    const float b = x[half + i];
    x[i] = a * cosines[i] - b * sines[i];
    x[half + i] = b * cosines[i] + a * sines[i];
  }
}

void q8_0_to_f32(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::byte* block = blocks + i / 32 * 34;
    out[i] = static_cast<float>(static_cast<std::int8_t>(block[2 + i % 32])) * half_at(block);
  }
}

// Number e of a block: e = 128 half + 32 quarter + i has its four low bits in nibble quarter / 2 of
// byte 64 half + 32 (quarter % 2) + i, its upper two in field `quarter` of byte 128 + 32 half + i.
int q6_k_code(const std::byte* block, std::size_t e) {
  const std::size_t half = e / 128;
  const std::size_t quarter = e % 128 / 32;
  const std::size_t i = e % 32;
  const auto low = std::to_integer<int>(block[64 * half + 32 * (quarter % 2) + i]);
  const auto high = std::to_integer<int>(block[128 + 32 * half + i]);
  return (low >> (4 * static_cast<int>(quarter / 2)) & 15) + (high >> (2 * quarter) & 3) * 16 - 32;
}
int q6_k_sub_scale(const std::byte* block, std::size_t e) {
  return static_cast<std::int8_t>(block[192 + e / 16]);
}

void q6_k_to_f32(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t k = 0; k < n; ++k) {
    const std::byte* block = blocks + k / 256 * 210;
    const std::size_t e = k % 256;
    out[k] = static_cast<float>(q6_k_code(block, e)) *
             (half_at(block + 208) * static_cast<float>(q6_k_sub_scale(block, e)));
  }
}

void dot_q8_0(const std::byte* rows, std::size_t count, const float* x, std::size_t n,
              std::size_t /*prefetch*/, float* out) {
  std::vector<float> row(n);
  for (std::size_t r = 0; r < count; ++r) {
    q8_0_to_f32(rows + r * (n / 32 * 34), n, row.data());
    out[r] = dot(row.data(), x, n);
  }
}

void dot_q6_k(const std::byte* rows, std::size_t row_count, const FixedPointVectors& vectors,
              std::size_t /*prefetch*/, float* out, std::size_t out_stride) {
  for (std::size_t m = 0; m < vectors.count; ++m) {
    for (std::size_t r = 0; r < row_count; ++r) {
      std::array<float, 16> lanes{};
      for (std::size_t b = 0; b < vectors.n / 256; ++b) {
        const std::byte* block = rows + (r * (vectors.n / 256) + b) * 210;
        for (std::size_t lane = 0; lane < 16; ++lane) {
          std::int64_t high = 0;
          std::int64_t lower = 0;
          for (std::size_t e = 0; e < 256; ++e) {
            if (e % 64 / 4 != lane) continue;
            const FixedPointInputs& x = vectors.inputs[(m * vectors.n + b * 256 + e) / 64];
            const int weight = q6_k_code(block, e) * q6_k_sub_scale(block, e);
            high += weight * x.high[e % 64];
            lower += weight * (128 * x.middle[e % 64] + x.low[e % 64]);
          }
          const float sum = std::fma(static_cast<float>(high), 16384.0F, static_cast<float>(lower));
          lanes[lane] = std::fma(sum, half_at(block + 208), lanes[lane]);
        }
      }
      out[m * out_stride + r] = add_lanes(lanes) * vectors.scales[m];
    }
  }
}

void attend_f32(const AttentionPage& page) { attend<float>(page); }
void attend_f16(const AttentionPage& page) { attend<std::uint16_t>(page); }
void attend_int8(const AttentionPage& page) { attend<std::int8_t>(page); }

}  // namespace bitnet::kernels::naive
