// SPDX-License-Identifier: MIT
// OutputFile: a file that appears complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace bitnet {

/// Writes to a temporary file beside the target; commit() makes it durable and renames it over the
/// target. Without commit() the destructor removes the temporary and the target stays untouched.
class OutputFile {
 public:
  /// Throws IoError, also when the target exists and is no regular file.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Buffered. Throws IoError when the system takes fewer bytes (disk full, quota).
  void append(std::span<const std::byte> bytes);
  /// Replaces bytes that were appended before, `position + bytes.size() <= offset()`.
  void overwrite(std::uint64_t position, std::span<const std::byte> bytes);
  /// Bytes appended so far.
  std::uint64_t offset() const { return offset_; }
  /// Flush, sync, rename, sync the folder. Call once, last.
  void commit();

 private:
  void write_all(std::span<const std::byte> bytes);
  void flush();
  [[noreturn]] void fail(const char* action) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;  ///< empty once renamed
  int fd_ = -1;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> buffer_;
};

/// A file with these bytes, complete or not at all. Throws IoError.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace bitnet
