// SPDX-License-Identifier: MIT
// Whether numbers are trits.
#pragma once

#include <cstdint>
#include <span>

namespace bitnet {

constexpr bool is_trit(std::int8_t number) { return number >= -1 && number <= 1; }

/// Compilers turn this into vectors, unlike a search that stops.
constexpr bool are_trits(std::span<const std::int8_t> numbers) {
  bool all = true;
  for (const std::int8_t number : numbers) {
    all &= is_trit(number);
  }
  return all;
}

}  // namespace bitnet
