// SPDX-License-Identifier: MIT
#include "seed_loops.h"

#include <algorithm>
#include <cmath>

namespace bitnet::bench {
namespace {

void quantize_row(const float* x, std::size_t columns, std::int8_t* codes, float* scale) {
  float absmax = 0.0F;
  for (std::size_t k = 0; k < columns; ++k) {
    absmax = std::max(absmax, std::fabs(x[k]));
  }
  *scale = absmax == 0.0F ? 1.0F : absmax / 127.0F;
  for (std::size_t k = 0; k < columns; ++k) {
    codes[k] = static_cast<std::int8_t>(std::clamp(std::round(x[k] / *scale), -127.0F, 127.0F));
  }
}

// 00 = 0, 01 = +1, 10 = -1, lowest bits first.
std::uint32_t pack_sixteen(const float* w, float scale) {
  std::uint32_t word = 0;
  for (unsigned i = 0; i < 16; ++i) {
    const float trit = std::clamp(std::round(w[i] / scale), -1.0F, 1.0F);
    const std::uint32_t code = trit > 0.0F ? 1 : trit < 0.0F ? 2 : 0;
    word |= code << (2 * i);
  }
  return word;
}

}  // namespace

void seed_quantize_activations(const float* x, std::size_t rows, std::size_t columns,
                               std::int8_t* codes, float* scales) {
  for (std::size_t row = 0; row < rows; ++row) {
    quantize_row(x + row * columns, columns, codes + row * columns, scales + row);
  }
}

void seed_quantize_weights(const float* w, std::size_t rows, std::size_t columns,
                           std::size_t group_size, std::uint32_t* words, float* scales) {
  for (std::size_t first = 0; first < rows * columns; first += group_size) {
    float sum = 0.0F;
    for (std::size_t i = 0; i < group_size; ++i) {
      sum += std::fabs(w[first + i]);
    }
    const float mean = sum / static_cast<float>(group_size);
    const float scale = mean == 0.0F ? 1.0F : mean;
    *scales++ = scale;
    for (std::size_t i = 0; i < group_size; i += 16) {
      *words++ = pack_sixteen(w + first + i, scale);
    }
  }
}

void seed_matmul(const float* x, std::size_t tokens, const float* w, std::size_t rows,
                 std::size_t columns, float* y) {
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t n = 0; n < rows; ++n) {
      float sum = 0.0F;
      for (std::size_t k = 0; k < columns; ++k) {
        sum += x[t * columns + k] * w[n * columns + k];
      }
      y[t * rows + n] = sum;
    }
  }
}

}  // namespace bitnet::bench
