// SPDX-License-Identifier: MIT
// Inputs of the self-test. Running a kernel's cases on a table gives a record of all that it wrote
// and returned; the inputs are the same on each run, so two tables' records can be compared.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/kernel_table.h"

namespace bitnet::kernels {

struct CaseRecord {
  std::string name;                 ///< what distinguishes this input
  std::vector<std::uint64_t> bits;  ///< returned values, then the output buffer
};
using Record = std::vector<CaseRecord>;

struct KernelUnderTest {
  std::string_view name;  ///< of the KernelTable's member
  void (*run_cases)(const KernelTable& table, Record& record);
};
std::span<const KernelUnderTest> row_kernels();
std::span<const KernelUnderTest> matrix_kernels();
std::span<const KernelUnderTest> transformer_kernels();

using Random = std::mt19937;

// One element in front of each buffer takes its alignment away; those behind an output, as many as
// a panel has rows, show what was written beyond its end.
inline constexpr std::size_t kShift = 1;
inline constexpr std::size_t kGuard = 32;

/// Bytes that kernels are told to ask ahead for: a wish, which changes nothing.
inline constexpr std::size_t kAhead = 256;

template <class T>
std::vector<T> output_buffer(std::size_t n) {
  return std::vector<T>(kShift + n + kGuard, static_cast<T>(77));
}

template <class T>
std::uint64_t bits_of(T value) {
  if constexpr (sizeof(T) == 8) {
    return std::bit_cast<std::uint64_t>(value);
  } else if constexpr (sizeof(T) == 4) {
    return std::bit_cast<std::uint32_t>(value);
  } else {
    return static_cast<std::make_unsigned_t<T>>(value);
  }
}

template <class T, class... Returned>
void add_case(Record& record, std::string name, const std::vector<T>& written,
              Returned... returned) {
  std::vector<std::uint64_t> bits = {bits_of(returned)...};
  bits.reserve(bits.size() + written.size());
  std::transform(written.begin(), written.end(), std::back_inserter(bits), bits_of<T>);
  record.push_back({std::move(name), std::move(bits)});
}

}  // namespace bitnet::kernels
