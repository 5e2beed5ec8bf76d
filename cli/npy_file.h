// SPDX-License-Identifier: MIT
// float32 arrays as NumPy's .npy files (numpy.lib.format, version 1.0).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace bitnet::cli {

/// Appears complete or not at all: append all numbers, row-major, then commit.
class NpyFile {
 public:
  NpyFile(const std::filesystem::path& path, const std::vector<std::size_t>& shape);
  ~NpyFile();
  void append(std::span<const float> values);
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bitnet::cli
