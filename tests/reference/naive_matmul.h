// SPDX-License-Identifier: MIT
// The exact integer product on unpacked integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitnet::reference {

/// sums[t, g, n] = Σ codes[t, k] * trits[n, k] over the inputs k of group g of `group` inputs; one
/// group of K inputs gives the plain product [T, N].
inline std::vector<std::int64_t> naive_product(const std::vector<std::int8_t>& codes,
                                               const std::vector<std::int8_t>& trits,
                                               std::size_t inputs, std::size_t group) {
  const std::size_t tokens = codes.size() / inputs;
  const std::size_t rows = trits.size() / inputs;
  std::vector<std::int64_t> sums;
  sums.reserve(tokens * rows * (inputs / group));
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t first = 0; first < inputs; first += group) {
      for (std::size_t n = 0; n < rows; ++n) {
        std::int64_t sum = 0;
        for (std::size_t k = first; k < first + group; ++k) {
          sum += std::int64_t{codes[t * inputs + k]} * trits[n * inputs + k];
        }
        sums.push_back(sum);
      }
    }
  }
  return sums;
}

}  // namespace bitnet::reference
