// SPDX-License-Identifier: MIT
// How much of a mapping this process has in memory, as the system says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <sstream>
#include <string>

namespace bitnet::test {

/// "Rss" of the mapping of /proc/self/smaps that holds the first byte.
inline std::size_t resident_bytes_of(std::span<const std::byte> bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream words(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    if (words >> std::hex >> begin >> dash >> end && dash == '-') {
      inside = begin <= address && address < end;
    } else if (inside && line.starts_with("Rss:")) {
      return std::stoul(line.substr(4)) * 1024;
    }
  }
  return 0;
}

}  // namespace bitnet::test
