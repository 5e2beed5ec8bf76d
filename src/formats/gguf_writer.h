// SPDX-License-Identifier: MIT
// GgufWriter: a GGUF version 3 file, streamed (docs/formats/gguf.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/output_file.h"
#include "formats/encoding.h"

namespace bitnet {

/// The C++ type decides the GGUF type: pass std::uint32_t{3}, not 3, where a key is a uint32.
using GgufValue =
    std::variant<std::uint32_t, std::int32_t, std::uint64_t, std::int64_t, float, double, bool,
                 std::string, std::vector<std::uint32_t>, std::vector<std::int32_t>,
                 std::vector<float>, std::vector<std::string>>;

struct GgufKeyValue {
  std::string key;
  GgufValue value;
};

/// Header, then the bytes of each tensor in the order declared, then commit(). The same calls give
/// the same bytes. The file appears with commit(), complete, or not at all.
class GgufWriter {
 public:
  /// Throws InvalidArgument for an empty or repeated key or name, a name above 63 bytes, an empty
  /// tensor or one of more than 4 dimensions; UnsupportedError for an encoding that GGUF lacks or
  /// whose block does not divide the columns; IoError.
  GgufWriter(const std::filesystem::path& path, std::span<const GgufKeyValue> key_values,
             std::vector<TensorDeclaration> tensors);

  /// The next bytes of the current tensor; full, it is padded and the next one becomes current.
  /// Throws InvalidArgument when they are more than it lacks.
  void append(std::span<const std::byte> bytes);
  /// Throws InvalidArgument naming the first tensor that is not complete.
  void commit();

  std::uint64_t offset() const { return file_.offset(); }

 private:
  void start_tensor();

  OutputFile file_;
  std::vector<TensorDeclaration> tensors_;
  std::size_t current_ = 0;    ///< index of the tensor being written
  std::size_t remaining_ = 0;  ///< bytes that it lacks
};

}  // namespace bitnet
