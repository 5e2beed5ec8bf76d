// SPDX-License-Identifier: MIT
// What a parser must survive: a file cut off anywhere, and any bit of it flipped.
#pragma once

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bitnet::test {

/// A copy in a heap block of exactly its size, so that a sanitizer sees any read beyond it.
class ExactCopy {
 public:
  explicit ExactCopy(std::span<const std::byte> bytes)
      : size_(bytes.size()), data_(new std::byte[bytes.size()]) {
    std::copy(bytes.begin(), bytes.end(), data_.get());
  }
  std::span<std::byte> bytes() { return {data_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> data_;
};

/// `call` must throw an E whose message holds all of `words`.
template <class E, class Call>
void expect_error(const Call& call, const std::vector<std::string>& words = {}) {
  try {
    call();
    ADD_FAILURE() << "expected an error, found none";
  } catch (const E& error) {
    for (const std::string& word : words) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos)
          << "no \"" << word << "\" in: " << error.what();
    }
  }
}

/// Every proper prefix of a file whose last byte counts is an Error.
template <class Parse>
void expect_error_at_every_length(std::span<const std::byte> file, const Parse& parse) {
  for (std::size_t length = 0; length < file.size(); ++length) {
    ExactCopy prefix(file.first(length));
    EXPECT_THROW(parse(prefix.bytes()), Error) << "cut to " << length << " bytes";
  }
}

/// With any one bit flipped, the file parses or is an Error: nothing else escapes, nothing crashes.
/// Returns how many flips were noticed.
template <class Parse>
std::size_t flip_every_bit(std::span<const std::byte> file, const Parse& parse) {
  ExactCopy copy(file);
  std::size_t errors = 0;
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    const auto mask = static_cast<std::byte>(1U << bit % 8);
    copy.bytes()[bit / 8] ^= mask;
    try {
      parse(copy.bytes());
    } catch (const Error&) {
      ++errors;
    }
    copy.bytes()[bit / 8] ^= mask;
  }
  return errors;
}

}  // namespace bitnet::test
