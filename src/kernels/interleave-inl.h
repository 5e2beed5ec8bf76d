// SPDX-License-Identifier: MIT
// Transposing in registers.
#pragma once

#include <cstddef>

namespace bitnet::kernels {
namespace {

/// Interleaves registers i and i + n / 2 of n, `rounds` times: as often as makes every lane of a
/// register come from one, that transposes. low and high give the halves of a0 b0 a1 b1 ...
template <std::size_t rounds, class Register, std::size_t n, class Low, class High>
inline void interleave(Register (&registers)[n], Low low, High high) {
  for (std::size_t round = 0; round < rounds; ++round) {
    Register interleaved[n];
    for (std::size_t i = 0; i < n / 2; ++i) {
      interleaved[2 * i] = low(registers[i], registers[i + n / 2]);
      interleaved[2 * i + 1] = high(registers[i], registers[i + n / 2]);
    }
    __builtin_memcpy(registers, interleaved, sizeof registers);
  }
}

}  // namespace
}  // namespace bitnet::kernels
