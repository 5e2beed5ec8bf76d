// SPDX-License-Identifier: MIT
// A GGUF model in several files, NAME-00001-of-00003.gguf: which ones, and whether they belong
// together (docs/formats/gguf.md).
#pragma once

#include <bitnet/checkpoint.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bitnet {

/// What a part says of itself in split.no, split.count and split.tensors.count.
struct GgufPart {
  std::uint64_t number;  ///< 0-based; 1-based in the file's name
  std::uint64_t count;
  std::optional<std::uint64_t> tensors_of_all;
};

/// nullopt for a file that is whole: without split.count, or with 1. FormatError naming file and
/// key for another type, a number beyond the count, or a file name that says something else.
std::optional<GgufPart> gguf_part(const std::map<std::string, MetadataValue>& metadata,
                                  const std::filesystem::path& file);

/// All parts, the first one first, of the model that `file` is a part of.
std::vector<std::filesystem::path> gguf_part_files(const std::filesystem::path& file,
                                                   const GgufPart& part);

}  // namespace bitnet
