// SPDX-License-Identifier: MIT
#include "base/output_file.h"

#include <bitnet/error.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr int kMaxTemporaries = 1000;

/// Makes the rename itself durable. Some file systems cannot sync a folder and say EINVAL.
bool sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL;
  const int reason = errno;
  ::close(fd);
  errno = reason;
  return synced;
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw IoError(path_.string() + ": cannot be replaced: expected a regular file");
  }
  // A name of our own, created exclusively: two writers never share a temporary, and one left by a
  // crash is stepped over.
  for (int attempt = 0; fd_ < 0 && attempt < kMaxTemporaries; ++attempt) {
    temporary_ = path_;
    temporary_ += message(".tmp-", ::getpid(), "-", attempt);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) {
      break;
    }
  }
  if (fd_ < 0) {
    fail("create");
  }
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
  if (fd_ >= 0 || !temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
}

void OutputFile::append(std::span<const std::byte> bytes) {
  offset_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    flush();
  }
  if (bytes.size() >= kBufferBytes) {
    write_all(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void OutputFile::overwrite(std::uint64_t position, std::span<const std::byte> bytes) {
  flush();
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      position += static_cast<std::uint64_t>(written);
    } else if (errno != EINTR) {
      fail("write");
    }
  }
}

void OutputFile::commit() {
  flush();
  if (::fsync(fd_) != 0) {
    fail("sync");
  }
  if (::close(std::exchange(fd_, -1)) != 0) {
    fail("close");
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail("rename the finished temporary");
  }
  temporary_.clear();
  if (!sync_folder(path_.parent_path())) {
    fail("sync the folder");
  }
}

void OutputFile::flush() {
  write_all(buffer_);
  buffer_.clear();
}

void OutputFile::write_all(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      fail("write");
    }
  }
}

void OutputFile::fail(const char* action) const {
  const int reason = errno;
  throw IoError(message(path_.string(), ": cannot ", action, ": ", std::strerror(reason)));
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  OutputFile file(path);
  file.append(bytes);
  file.commit();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace bitnet
