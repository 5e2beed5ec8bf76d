// SPDX-License-Identifier: MIT
// Memory whose first byte follows, or whose last byte precedes, a page that no one may touch: a
// read or write beyond it ends the test at once.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

namespace bitnet::reference {

/// Which end of the buffer touches a forbidden page exactly. (Both do when it fills whole pages.)
enum class GuardedEnd { back, front };

/// n elements of T, zero at first.
template <class T>
class GuardedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit GuardedBuffer(std::size_t n, GuardedEnd end = GuardedEnd::back) : size_(n) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inside = (n * sizeof(T) + page - 1) / page * page;
    mapped_bytes_ = inside + 2 * page;
    mapping_ = ::mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) {
      throw std::bad_alloc();
    }
    std::byte* first_page = static_cast<std::byte*>(mapping_) + page;
    if (inside != 0 && ::mprotect(first_page, inside, PROT_READ | PROT_WRITE) != 0) {
      ::munmap(mapping_, mapped_bytes_);
      throw std::bad_alloc();
    }
    const std::size_t slack = end == GuardedEnd::back ? inside - n * sizeof(T) : 0;
    data_ = reinterpret_cast<T*>(first_page + slack);
  }
  /// A copy of `values`.
  explicit GuardedBuffer(const std::vector<T>& values, GuardedEnd end = GuardedEnd::back)
      : GuardedBuffer(values.size(), end) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~GuardedBuffer() { ::munmap(mapping_, mapped_bytes_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<T> span() { return {data_, size_}; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }

 private:
  std::size_t size_;
  std::size_t mapped_bytes_ = 0;
  void* mapping_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace bitnet::reference
