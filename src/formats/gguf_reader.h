// SPDX-License-Identifier: MIT
// GGUF versions 2 and 3: bytes -> named tensors and key-values (docs/formats/gguf.md).
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace bitnet {

struct GgufContents {
  std::vector<StoredTensor> tensors;  ///< by ascending offset; their bytes lie in the input
  std::map<std::string, MetadataValue> metadata;
  /// What readers accept but llama.cpp would not write: gaps, another order, a cut or longer end.
  std::vector<std::string> warnings;
};

/// `file` is named in messages and in every tensor. Throws FormatError for malformed bytes
/// and other versions, UnsupportedError for tensor types whose size is unknown.
GgufContents parse_gguf(std::span<const std::byte> bytes, const std::filesystem::path& file);

}  // namespace bitnet
