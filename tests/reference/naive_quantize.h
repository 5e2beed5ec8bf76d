// SPDX-License-Identifier: MIT
// The two quantizer forms in plain loops: every operation one float32 operation, the weight mean
// summed in double. `divide` is the seed's form, `multiply` that of the published models.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace bitnet::reference {

enum class Form { divide, multiply };

inline float round_as(Form form, float x) {
  return form == Form::divide ? std::round(x)       // half away from zero
                              : std::nearbyint(x);  // half to even in the default mode
}

/// Codes, and per scale the factor of the form: `divide` multiplies codes by it, `multiply`
/// multiplies x by it.
struct NaiveActivations {
  std::vector<int> codes;
  std::vector<float> factors;
  std::vector<float> dequantized;
};

/// Rows of `columns` numbers; each row its own scale, or one for all.
inline NaiveActivations naive_activations(const std::vector<float>& x, std::size_t columns,
                                          Form form, int bits, bool per_row) {
  const auto m = static_cast<float>((1 << (bits - 1)) - 1);
  const float lowest = form == Form::divide ? -m : -m - 1;
  const std::size_t run = per_row ? columns : x.size();
  NaiveActivations result;
  for (std::size_t start = 0; start < x.size(); start += run) {
    float absmax = 0;
    for (std::size_t i = start; i < start + run; ++i) {
      absmax = std::max(absmax, std::fabs(x[i]));
    }
    const float factor = form == Form::multiply ? m / std::max(absmax, 1e-5F)
                         : absmax == 0.0F       ? 1.0F
                                                : absmax / m;
    result.factors.push_back(factor);
    for (std::size_t i = start; i < start + run; ++i) {
      const float scaled = form == Form::divide ? x[i] / factor : x[i] * factor;
      const float q = std::clamp(round_as(form, scaled), lowest, m);
      result.codes.push_back(static_cast<int>(q));
      result.dequantized.push_back(form == Form::divide ? q * factor : q / factor);
    }
  }
  return result;
}

struct NaiveWeights {
  std::vector<int> trits;
  std::vector<float> scales;
};

/// One scale per run of `run` weights (the whole matrix, a row, a group).
inline NaiveWeights naive_weights(const std::vector<float>& w, std::size_t run, Form form) {
  NaiveWeights result;
  for (std::size_t start = 0; start < w.size(); start += run) {
    double sum = 0;
    for (std::size_t i = start; i < start + run; ++i) {
      sum += std::fabs(static_cast<double>(w[i]));
    }
    const auto mean = static_cast<float>(sum / static_cast<double>(run));
    const float scale = form == Form::multiply ? std::max(mean, 1e-5F) : mean == 0.0F ? 1.0F : mean;
    result.scales.push_back(scale);
    const float inverse = 1.0F / scale;
    for (std::size_t i = start; i < start + run; ++i) {
      const float scaled = form == Form::divide ? w[i] / scale : w[i] * inverse;
      result.trits.push_back(static_cast<int>(std::clamp(round_as(form, scaled), -1.0F, 1.0F)));
    }
  }
  return result;
}

}  // namespace bitnet::reference
