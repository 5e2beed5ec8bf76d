// SPDX-License-Identifier: MIT
// Whether numbers are trits.
#pragma once

#include <cstdint>
#include <span>

namespace bitnet {

constexpr bool is_trit(std::int8_t number) { return number >= -1 && number <= 1; }

/// Compilers turn this into vectors, unlike a search that stops.
constexpr bool are_trits(std::span<const std::int8_t> numbers) {
  // u = number + 1 is 0, 1 or 2: no bit above the second, and not both of these.
  std::uint8_t strays = 0;
  for (const std::int8_t number : numbers) {
    const auto u = static_cast<std::uint8_t>(number + 1);
    strays |= static_cast<std::uint8_t>((u & 0xfcU) | (u & u >> 1U));
  }
  return strays == 0;
}

}  // namespace bitnet
