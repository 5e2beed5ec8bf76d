// SPDX-License-Identifier: MIT
// Any bytes as model.safetensors.index.json: parsed to names that stay in their folder, or an
// Error.
#include <bitnet/error.h>

#include <cstdlib>

#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path kFile = "model.safetensors.index.json";
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& [tensor, shard] : bitnet::parse_safetensors_index(text, kFile)) {
      const std::filesystem::path path = shard;
      if (path.has_parent_path() || path.is_absolute() || path == "..") {
        std::abort();
      }
    }
  } catch (const bitnet::Error&) {
    return 0;
  }
  return 0;
}
