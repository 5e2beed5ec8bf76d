// SPDX-License-Identifier: MIT
// MappedFile: a whole file as read-only memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace bitnet {

/// Maps a regular file for as long as the object lives. Movable: the bytes keep their address. A
/// file that another program shortens while it is mapped raises SIGBUS, as with every mapping.
class MappedFile {
 public:
  /// Throws IoError. An empty file gives an empty span.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }

  /// Drops the whole pages inside the range from the resident set; a later read fetches them from
  /// the file again. A range beyond the end is cut off.
  void release(std::size_t offset, std::size_t length) const;
  /// Fetches the range from the file and maps it at once (on Linux before 5.14 only starts to fetch
  /// it). A range beyond the end is cut off.
  void populate(std::size_t offset, std::size_t length) const;

 private:
  std::span<const std::byte> bytes_;
};

/// The whole file; empty when there is none that we may look at. Throws IoError as MappedFile does.
std::string read_file_if_any(const std::filesystem::path& path);

}  // namespace bitnet
