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

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

/// `begin` is a multiple of the page. Advice only: a failure costs memory or time, never
/// correctness.
void advise(std::span<const std::byte> mapping, std::size_t begin, std::size_t end, int advice) {
  if (begin < end) {
    ::madvise(const_cast<std::byte*>(mapping.data()) + begin, end - begin, advice);
  }
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

std::string read_file_if_any(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be looked at is no file of ours
  if (!std::filesystem::exists(path, ignored)) {
    return {};
  }
  const MappedFile mapped(path);
  return {reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()};
}

void MappedFile::release(std::size_t offset, std::size_t length) const {
  const std::size_t page = page_bytes();
  const std::size_t begin = std::min(offset, bytes_.size());
  const std::size_t end = begin + std::min(length, bytes_.size() - begin);
  advise(bytes_, (begin + page - 1) / page * page, end / page * page, MADV_DONTNEED);
}

void MappedFile::populate(std::size_t offset, std::size_t length) const {
#if defined(MADV_POPULATE_READ)
  constexpr int kAdvice = MADV_POPULATE_READ;
#else
  constexpr int kAdvice = MADV_WILLNEED;
#endif
  const std::size_t begin = std::min(offset, bytes_.size());
  const std::size_t end = begin + std::min(length, bytes_.size() - begin);
  advise(bytes_, begin / page_bytes() * page_bytes(), end, kAdvice);
}

}  // namespace bitnet
