// SPDX-License-Identifier: MIT
// Files put together by hand, byte for byte: an oracle that shares nothing with the writers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::test {

/// Grows by little-endian numbers and text.
class ByteString {
 public:
  /// Two hexadecimal digits per byte; "55*30" is 30 times 55. "|" separates for the reader's eye.
  ByteString& hex(const std::string& text) {
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      if (word == "|") {
        continue;
      }
      const std::size_t star = word.find('*');
      const std::size_t count = star == std::string::npos ? 1 : std::stoul(word.substr(star + 1));
      bytes_.insert(bytes_.end(), count,
                    static_cast<std::byte>(std::stoi(word.substr(0, star), nullptr, 16)));
    }
    return *this;
  }

  ByteString& text(std::string_view text) {
    for (const char c : text) {
      bytes_.push_back(static_cast<std::byte>(c));
    }
    return *this;
  }

  template <class T>
  ByteString& number(T value) {
    for (const std::byte byte : std::as_bytes(std::span(&value, 1))) {
      bytes_.push_back(byte);
    }
    return *this;
  }
  ByteString& u32(std::uint32_t value) { return number(value); }
  ByteString& u64(std::uint64_t value) { return number(value); }
  /// GGUF: length, then bytes.
  ByteString& string(std::string_view value) { return u64(value.size()).text(value); }

  ByteString& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  ByteString& pad_to(std::size_t alignment) {
    return zeros((alignment - bytes_.size() % alignment) % alignment);
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

inline std::vector<std::byte> hex(const std::string& text) {
  return ByteString().hex(text).bytes();
}

}  // namespace bitnet::test
