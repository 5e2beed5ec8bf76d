// SPDX-License-Identifier: MIT
#include "tokenizer/sentencepiece_bpe.h"

#include <bitnet/error.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <utility>

#include "base/message.h"
#include "tokenizer/code_points.h"
#include "tokenizer/token_splits.h"

namespace bitnet {
namespace {

constexpr std::string_view kSpace = "\u2581";

/// Rank of every score: the greatest is 0.
std::map<float, std::uint32_t> ranks_of_scores(const TokenizerData& data) {
  std::map<float, std::uint32_t> ranks;
  for (const float score : data.scores) {
    ranks[score] = 0;
  }
  auto rank = static_cast<std::uint32_t>(ranks.size());
  for (auto& entry : ranks) {
    entry.second = --rank;
  }
  return ranks;
}

bool has_space_inside(std::string_view token) {
  for (std::size_t at = token.find(kSpace); at != std::string_view::npos;
       at = token.find(kSpace, at + kSpace.size())) {
    if (at > 0 && !token.substr(0, at).ends_with(kSpace)) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> merges_of(const TokenizerData& data) {
  return data.merges.empty() ? merges_of_scores(data, "tokenizer") : data.merges;
}

std::size_t byte_of(const std::string& byte_token) {
  constexpr int kHexadecimal = 16;
  std::size_t byte = 0;
  std::from_chars(byte_token.data() + 3, byte_token.data() + 5, byte, kHexadecimal);
  return byte;
}

}  // namespace

SentencePieceBpe::SentencePieceBpe(const TokenizerData& data, const TokenIndex& index)
    : add_space_prefix_(data.add_space_prefix.value_or(true)), unknown_(data.unknown), merges_(0) {
  for (std::size_t i = 0; i < data.tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string& token = data.tokens[id];
    if (data.types[id] == TokenType::byte && is_byte_token(token)) {
      byte_tokens_[byte_of(token)] = id;
    } else if (data.types[id] == TokenType::normal) {
      words_are_apart_ = words_are_apart_ && !has_space_inside(token);
      if (character_length(token) == token.size()) {
        characters_.emplace(token, id);
      }
    }
  }
  add_merges(data, index);
}

void SentencePieceBpe::add_merges(const TokenizerData& data, const TokenIndex& index) {
  const std::vector<std::string> merges = merges_of(data);
  const auto ranks = ranks_of_scores(data);
  merges_ = MergeTable(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view merge = merges[i];
    const std::size_t space = merge.find(' ');
    std::string result(merge);
    result.erase(space, 1);
    const TokenId id = *index.find(result);
    // All pairs that form one token have its rank, and the leftmost goes first.
    const auto rank =
        data.merges.empty() ? ranks.at(data.scores[id]) : static_cast<std::uint32_t>(i);
    merges_.add(*index.find(merge.substr(0, space)), *index.find(merge.substr(space + 1)),
                {rank, id});
  }
}

std::optional<std::string> SentencePieceBpe::normalized(std::string_view text) const {
  std::string result(add_space_prefix_ ? kSpace : "");
  result.reserve(text.size() + text.size() / 2);
  for (const char byte : text) {
    if (byte == ' ') {
      result += kSpace;
    } else {
      result.push_back(byte);
    }
  }
  return result;
}

void SentencePieceBpe::append_symbol(std::string_view character,
                                     std::vector<TokenId>& symbols) const {
  const auto known = characters_.find(std::string(character));
  if (known != characters_.end()) {
    symbols.push_back(known->second);
    return;
  }
  const auto byte_token = [&](char byte) { return byte_tokens_[static_cast<unsigned char>(byte)]; };
  if (std::ranges::all_of(character, [&](char byte) { return byte_token(byte).has_value(); })) {
    for (const char byte : character) {
      symbols.push_back(*byte_token(byte));
    }
  } else if (!unknown_) {
    throw InvalidArgument(message("text: expected characters that the vocabulary has tokens for, ",
                                  "found '", character, "'"));
  } else if (symbols.empty() || symbols.back() != *unknown_) {
    symbols.push_back(*unknown_);
  }
}

void SentencePieceBpe::encode(std::string_view text, std::vector<TokenId>& ids) const {
  SymbolMerger merger(merges_);
  std::vector<TokenId> symbols;
  const auto flush = [&] {
    merger.merge(symbols);
    ids.insert(ids.end(), symbols.begin(), symbols.end());
    symbols.clear();
  };
  bool is_after_space = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const std::size_t length = std::max<std::size_t>(character_length(rest), 1);
    const std::string_view character = rest.substr(0, length);
    if (words_are_apart_ && character == kSpace && !is_after_space) {
      flush();
    }
    is_after_space = character == kSpace;
    append_symbol(character, symbols);
    at += length;
  }
  flush();
}

}  // namespace bitnet
