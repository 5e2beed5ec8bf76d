// SPDX-License-Identifier: MIT
// Checkpoint: named tensors and metadata of a safetensors file, a sharded folder, or a GGUF file.
#pragma once

#include <bitnet/tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bitnet {

/// How the bytes of a stored tensor are read. Names as in the two formats' own documents.
enum class Encoding {
  f32,
  f16,
  bf16,
  f64,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,  // one element at a time
  q4_0,
  q8_0,
  q2_0,
  tq1_0,
  tq2_0,
  i2_s,  // GGUF blocks
  q4_k,
  q5_k,
  q6_k,
  iq1_bn,
  iq2_bn,
  iq2_bn_r4,  // of ik_llama.cpp; r4: four rows interleaved
  i2_s_64,
  i2_s_rows4,  // what a file calls I2_S, too: only the weights tell
               // (docs/formats/packed_ternary.md)
  other        // known by StoredTensor::type_name only: listed, not decoded
};
std::string_view to_string(Encoding encoding);

/// One tensor of a checkpoint. Shape is slowest-first (PyTorch order) for both formats.
struct StoredTensor {
  std::string name;
  Encoding encoding = Encoding::other;
  std::string type_name;  ///< as the file says: "BF16", "TQ2_0", "type 39"
  Shape shape;
  std::span<const std::byte> bytes;  ///< into the mapped file; valid while the Checkpoint lives
  std::uint64_t file_offset = 0;     ///< of bytes[0], for messages
  std::filesystem::path file;        ///< the shard that holds it
};

/// A metadata value. Integers and floats of any width widen; arrays are kept whole, those of bools
/// as 0 and 1. Strings need not be UTF-8.
using MetadataValue =
    std::variant<std::int64_t, std::uint64_t, double, bool, std::string, std::vector<std::int64_t>,
                 std::vector<double>, std::vector<std::string>>;

/// Read-only and memory-mapped: opening reads headers only. Movable; safe to read from many
/// threads.
class Checkpoint {
 public:
  enum class Format { safetensors, gguf };

  Format format() const;
  const std::filesystem::path& path() const;
  const std::vector<StoredTensor>& tensors() const;       ///< in the order of their bytes
  const StoredTensor* find(std::string_view name) const;  ///< nullptr when absent
  /// GGUF key-values (of the first part of a split file), or the safetensors __metadata__ strings.
  const std::map<std::string, MetadataValue>& metadata() const;
  /// config.json beside a safetensors checkpoint, verbatim; empty when there is none.
  const std::string& config_json() const;
  /// What was accepted but other programs may refuse: gaps between tensors, bytes behind the last
  /// one, missing padding. One sentence each, naming the file; empty for safetensors, which allows
  /// none of it.
  const std::vector<std::string>& warnings() const;
  /// Tells the system that mapped pages are no longer needed, so that streaming over a large file
  /// keeps a small resident set. `bytes` lie within one tensor; the whole pages among them go.
  void release(std::span<const std::byte> bytes) const;
  void release(const StoredTensor& tensor) const { release(tensor.bytes); }
  /// Reads these bytes of one tensor from the file and maps them at once, which costs less than
  /// page by page as they are touched. Advice: never an error.
  void populate(std::span<const std::byte> bytes) const;

  struct Contents;
  explicit Checkpoint(std::shared_ptr<const Contents> contents);

 private:
  std::shared_ptr<const Contents> contents_;
};

/// Opens FILE.safetensors, FILE.gguf, or a folder holding model.safetensors or
/// model.safetensors.index.json; the format is told by content. Any part of a split GGUF file
/// (NAME-00001-of-00003.gguf) opens them all. IoError, FormatError with file, tensor or key, byte
/// offset, expected, found.
Checkpoint open_checkpoint(const std::filesystem::path& path);

}  // namespace bitnet
