// SPDX-License-Identifier: MIT
// Speed of the ternary matrix product by itself, beside what the machine can do at that moment.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace bitnet::cli {

struct MatrixShape {
  std::size_t rows;
  std::size_t inputs;
};
/// "3840x2560": rows, then inputs. nullopt for any other text.
std::optional<MatrixShape> parse_matrix_shape(std::string_view text);

struct KernelBenchOptions {
  /// Projections of BitNet b1.58 2B-4T as the layers multiply them: q, k and v; o; gate and up;
  /// down.
  std::vector<MatrixShape> shapes = {{3840, 2560}, {2560, 2560}, {13824, 2560}, {2560, 6912}};
  std::vector<std::size_t> tokens = {1, 8, 32, 128, 512};
  std::vector<int> threads;  ///< empty: one per core
  std::size_t rounds = 5;
  bool json = false;
};

int run_kernel_bench(const KernelBenchOptions& options);

}  // namespace bitnet::cli
