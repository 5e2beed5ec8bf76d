// SPDX-License-Identifier: MIT
#include "tokenizer/token_table.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "tokenizer/byte_alphabet.h"

namespace bitnet {
namespace {

constexpr TokenId kNone = ~TokenId{0};

std::uint32_t hash_of(std::string_view bytes) {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15U;
  std::uint64_t hash = bytes.size();
  const auto mix = [&](std::string_view word) {
    std::uint64_t value = 0;
    std::memcpy(&value, word.data(), word.size());
    hash = (hash ^ value) * kMultiplier;
    hash ^= hash >> 32;
  };
  for (; bytes.size() > sizeof(hash); bytes.remove_prefix(sizeof(hash))) {
    mix(bytes.substr(0, sizeof(hash)));
  }
  mix(bytes);
  return static_cast<std::uint32_t>(hash);
}

/// A space for each U+2581.
std::string with_spaces(std::string_view token) {
  constexpr std::string_view kSpace = "\u2581";
  std::string text;
  while (!token.empty()) {
    const bool is_space = token.starts_with(kSpace);
    text.push_back(is_space ? ' ' : token[0]);
    token.remove_prefix(is_space ? kSpace.size() : 1);
  }
  return text;
}

std::string bytes_of(const TokenizerData& data, TokenId id) {
  const std::string& token = data.tokens[id];
  const TokenType type = data.types[id];
  if (type == TokenType::control || type == TokenType::user_defined || type == TokenType::unknown) {
    return token;
  }
  if (data.model == TokenizerModel::byte_level_bpe) {
    return from_byte_alphabet(token).value_or(token);
  }
  if (type == TokenType::byte && is_byte_token(token)) {
    constexpr int kHexadecimal = 16;
    unsigned byte = 0;
    std::from_chars(token.data() + 3, token.data() + 5, byte, kHexadecimal);
    return std::string(1, static_cast<char>(byte));
  }
  return with_spaces(token);
}

}  // namespace

TokenBytes::TokenBytes(const TokenizerData& data) : ends_{0} {
  ends_.reserve(data.tokens.size() + 1);
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    bytes_ += bytes_of(data, static_cast<TokenId>(id));
    ends_.push_back(bytes_.size());
  }
}

TokenTable::TokenTable(const TokenBytes& bytes, std::size_t max_tokens)
    : bytes_(bytes), slots_(std::bit_ceil(2 * max_tokens + 1), Slot{0, kNone}) {}

std::size_t TokenTable::slot_of(std::string_view bytes, std::uint32_t hash) const {
  std::size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].id != kNone &&
         (slots_[slot].hash != hash || bytes_[slots_[slot].id] != bytes)) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

void TokenTable::add(TokenId id) {
  const std::uint32_t hash = hash_of(bytes_[id]);
  Slot& slot = slots_[slot_of(bytes_[id], hash)];
  if (slot.id == kNone) {
    slot = {hash, id};
  }
}

std::optional<TokenId> TokenTable::find(std::string_view bytes) const {
  const Slot& slot = slots_[slot_of(bytes, hash_of(bytes))];
  return slot.id == kNone ? std::nullopt : std::optional(slot.id);
}

}  // namespace bitnet
