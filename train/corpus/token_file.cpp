// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/token_file.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <limits>
#include <variant>

#include "base/message.h"

namespace bitnet::train {
namespace {

[[noreturn]] void fail(const Checkpoint& checkpoint, const std::string& what) {
  throw FormatError(message(checkpoint.path().string(), ": ", what));
}

const StoredTensor& require(const Checkpoint& checkpoint, const char* name) {
  const StoredTensor* tensor = checkpoint.find(name);
  if (tensor == nullptr) {
    fail(checkpoint, message("expected a token file with the tensor '", name, "', found none"));
  }
  return *tensor;
}

/// The numbers of a vector in the file.
template <class Number>
std::span<const Number> numbers(const Checkpoint& checkpoint, const StoredTensor& tensor,
                                Encoding encoding) {
  const bool is_aligned =
      reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignof(Number) == 0;
  if (tensor.encoding != encoding || tensor.shape.rank() != 1 || !is_aligned) {
    fail(checkpoint, message("tensor '", tensor.name, "': expected a vector of ",
                             to_string(encoding), ", aligned, found ", tensor.type_name, " ",
                             tensor.shape.to_string(), " at byte ", tensor.file_offset));
  }
  return {reinterpret_cast<const Number*>(tensor.bytes.data()), tensor.shape[0]};
}

std::string metadata_string(const Checkpoint& checkpoint, const char* key) {
  const auto found = checkpoint.metadata().find(key);
  const auto* const text =
      found == checkpoint.metadata().end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? "" : *text;
}

std::size_t read_vocab_size(const Checkpoint& checkpoint) {
  const std::string text = metadata_string(checkpoint, "vocab_size");
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();  // ids become signed
  if (error != std::errc() || end != text.data() + text.size() || size > kMost) {
    fail(checkpoint,
         message("metadata 'vocab_size': expected a number up to ", kMost, ", found '", text, "'"));
  }
  return size;
}

template <class Number>
void check_below(const Checkpoint& checkpoint, std::span<const Number> values, std::size_t bound,
                 const char* name) {
  if (values.empty() || *std::ranges::max_element(values) < bound) {
    return;
  }
  const auto found = std::ranges::find_if(values, [&](Number value) { return value >= bound; });
  fail(checkpoint, message("tensor '", name, "' [", found - values.begin(),
                           "]: expected less than ", bound, ", found ", std::size_t{*found}));
}

void check_starts(const Checkpoint& checkpoint, std::span<const std::uint64_t> starts,
                  std::size_t size) {
  if (starts.size() < 2 || starts.front() != 0 || starts.back() != size) {
    fail(checkpoint,
         message("tensor 'starts': expected 0 to ", size, ", found ", starts.size(), " numbers",
                 starts.empty() ? "" : message(" from ", starts.front(), " to ", starts.back())));
  }
  const auto wrong = std::ranges::adjacent_find(starts, std::greater_equal());
  if (wrong != starts.end()) {
    fail(checkpoint, message("tensor 'starts' [", wrong - starts.begin() + 1,
                             "]: expected more than ", wrong[0], ", found ", wrong[1]));
  }
}

}  // namespace

TokenFile::TokenFile(const std::filesystem::path& path)
    : checkpoint_(open_checkpoint(path)),
      vocab_size_(read_vocab_size(checkpoint_)),
      tokenizer_fingerprint_(metadata_string(checkpoint_, "tokenizer")),
      sources_fingerprint_(metadata_string(checkpoint_, "sources")) {
  const StoredTensor& tokens = require(checkpoint_, "tokens");
  if (tokens.encoding == Encoding::u16) {
    tokens16_ = numbers<std::uint16_t>(checkpoint_, tokens, Encoding::u16);
  } else {
    tokens32_ = numbers<std::uint32_t>(checkpoint_, tokens, Encoding::u32);
  }
  size_ = tokens.shape[0];
  check_below(checkpoint_, tokens16_, vocab_size_, "tokens");
  check_below(checkpoint_, tokens32_, vocab_size_, "tokens");
  starts_ = numbers<std::uint64_t>(checkpoint_, require(checkpoint_, "starts"), Encoding::u64);
  check_starts(checkpoint_, starts_, size_);
  if (const StoredTensor* is_target = checkpoint_.find("is_target"); is_target != nullptr) {
    is_target_ = numbers<std::uint8_t>(checkpoint_, *is_target, Encoding::u8);
    if (is_target_.size() != size_) {
      fail(checkpoint_,
           message("tensor 'is_target': expected ", size_, " numbers, found ", is_target_.size()));
    }
    check_below(checkpoint_, is_target_, 2, "is_target");
  }
}

}  // namespace bitnet::train
