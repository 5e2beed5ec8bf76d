// SPDX-License-Identifier: MIT
// Safetensors: bytes <-> named tensors (docs/formats/safetensors.md).
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/encoding.h"

namespace bitnet {

struct SafetensorsContents {
  std::vector<StoredTensor> tensors;  ///< by ascending offset; their bytes lie in the input
  std::map<std::string, std::string> metadata;
};

/// `file` is named in messages and in every tensor. Throws FormatError for malformed bytes. A dtype
/// that we do not know gives Encoding::other: it is refused when that tensor is used.
SafetensorsContents parse_safetensors(std::span<const std::byte> bytes,
                                      const std::filesystem::path& file);

/// The weight_map of model.safetensors.index.json: tensor name -> file name. FormatError for
/// malformed text and for a file name that would leave the folder.
std::map<std::string, std::string> parse_safetensors_index(std::string_view text,
                                                           const std::filesystem::path& file);

/// Everything in front of the tensors' bytes, which the caller lets follow in the order declared,
/// without gaps: length, JSON, spaces up to a multiple of 8. Declare wider types first, so that
/// each tensor is aligned. Deterministic. Throws InvalidArgument for repeated names and text that
/// is not UTF-8, UnsupportedError for an encoding that safetensors lacks.
std::vector<std::byte> safetensors_header(std::span<const TensorDeclaration> tensors,
                                          const std::map<std::string, std::string>& metadata);

}  // namespace bitnet
