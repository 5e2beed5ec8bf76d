// SPDX-License-Identifier: MIT
// The bytes of all tokens, and tokens by their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// What each token adds to a text, one behind the other. [V]
class TokenBytes {
 public:
  explicit TokenBytes(const TokenizerData& data);
  std::string_view operator[](TokenId id) const {
    return std::string_view(bytes_).substr(ends_[id], ends_[id + 1] - ends_[id]);
  }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;  // [V + 1]
};

/// Some tokens by their bytes. Refers to the bytes, which must outlive it.
class TokenTable {
 public:
  TokenTable(const TokenBytes& bytes, std::size_t max_tokens);
  /// Of tokens with the same bytes the first stays.
  void add(TokenId id);
  std::optional<TokenId> find(std::string_view bytes) const;

 private:
  struct Slot {
    std::uint32_t hash;
    TokenId id;
  };
  std::size_t slot_of(std::string_view bytes, std::uint32_t hash) const;

  const TokenBytes& bytes_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace bitnet
