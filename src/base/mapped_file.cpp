// SPDX-License-Identifier: MIT
#include "base/mapped_file.h"

#include <bitnet/error.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

/// Closes on every way out; the mapping itself needs no open descriptor.
struct Descriptor {
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) {
      ::close(fd);
    }
  }
  const int fd;
};

[[noreturn]] void throw_io_error(const std::filesystem::path& path, const char* action) {
  throw IoError(message(path.string(), ": cannot ", action, ": ", std::strerror(errno)));
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) {
    throw_io_error(path, "open");
  }
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) {
    throw_io_error(path, "read the size");
  }
  if (!S_ISREG(status.st_mode)) {
    throw IoError(path.string() + ": expected a regular file");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) {
    return;  // mmap refuses a length of 0
  }
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (memory == MAP_FAILED) {
    throw_io_error(path, "map");
  }
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::release(std::size_t offset, std::size_t length) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = std::min(offset, bytes_.size());
  const std::size_t end = begin + std::min(length, bytes_.size() - begin);
  const std::size_t first_page = (begin + page - 1) / page * page;
  const std::size_t last_page = end / page * page;
  if (first_page < last_page) {
    // Advice only: a failure costs memory, never correctness.
    ::madvise(const_cast<std::byte*>(bytes_.data()) + first_page, last_page - first_page,
              MADV_DONTNEED);
  }
}

}  // namespace bitnet
