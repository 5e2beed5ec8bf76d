// SPDX-License-Identifier: MIT
// Files of MNIST and its kin: two zero bytes, the type 8 (unsigned bytes), the number of
// dimensions, each dimension as a big-endian 32-bit number, then the values, the last dimension
// fastest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

struct IdxFile {
  std::vector<std::int64_t> dimensions;
  std::vector<std::uint8_t> values;
};

/// Throws std::runtime_error naming the file when it is missing, of another type, or of another
/// length than its header says.
inline IdxFile read_idx(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t rank = bytes.size() < 4 ? 0 : bytes[3];
  const std::size_t header = 4 + 4 * rank;
  if (rank == 0 || bytes.size() < header || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8) {
    throw std::runtime_error(path.string() + ": expected an IDX file of unsigned bytes");
  }
  IdxFile file;
  std::size_t left = bytes.size() - header;  // divided by the dimensions so far
  bool fits = true;
  for (std::size_t at = 4; at < header; at += 4) {
    const std::uint32_t dimension = static_cast<std::uint32_t>(bytes[at]) << 24 |
                                    static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
                                    static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
    fits = fits && dimension != 0 && left % dimension == 0;
    left = fits ? left / dimension : 0;
    file.dimensions.push_back(dimension);
  }
  if (!fits || left != 1) {
    throw std::runtime_error(path.string() + ": expected as many bytes as its dimensions say");
  }
  file.values.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
  return file;
}
