// SPDX-License-Identifier: MIT
// SafetensorsWriter: a safetensors file, streamed (docs/formats/safetensors.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/output_file.h"
#include "formats/encoding.h"

namespace bitnet {

/// Header, then the bytes of each tensor in the order declared, then commit(). A tensor whose bytes
/// are known last is left to overwrite(). The file appears with commit(), complete, or not at all.
class SafetensorsWriter {
 public:
  /// Throws what safetensors_header throws, and IoError.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                    const std::map<std::string, std::string>& metadata);

  /// The next bytes, of as many tensors as they reach. Throws InvalidArgument beyond the last.
  void append(std::span<const std::byte> bytes);
  /// Replaces all bytes of a tensor that append() has passed.
  void overwrite(std::size_t tensor_index, std::span<const std::byte> bytes);
  /// Throws InvalidArgument when bytes are missing.
  void commit();

  std::uint64_t offset() const { return file_.offset(); }

 private:
  OutputFile file_;
  std::vector<TensorDeclaration> tensors_;
  std::vector<std::uint64_t> offsets_;  ///< of each tensor in the file, and the file's end
};

}  // namespace bitnet
