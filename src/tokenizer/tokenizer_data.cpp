// SPDX-License-Identifier: MIT
#include "tokenizer/tokenizer_data.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "base/message.h"
#include "formats/utf8.h"

namespace bitnet {
namespace {

constexpr std::array<std::string_view, 4> kEndsOfTurn = {"<|eot_id|>", "<|im_end|>", "<|end|>",
                                                         "<end_of_turn>"};
constexpr std::array<std::string_view, 1> kEndsOfMessage = {"<|eom_id|>"};

/// The first of `texts` that is a control token.
std::optional<TokenId> control_token(const TokenizerData& data,
                                     std::span<const std::string_view> texts) {
  for (const std::string_view text : texts) {
    for (std::size_t id = 0; id < data.tokens.size(); ++id) {
      if (data.types[id] == TokenType::control && data.tokens[id] == text) {
        return static_cast<TokenId>(id);
      }
    }
  }
  return std::nullopt;
}

void check_merge(const std::string& merge, std::size_t rank, const TokenIndex& index,
                 const std::string& where) {
  const auto fail = [&](const std::string& found) {
    throw FormatError(message(where, ": merge ", rank, ": expected two tokens that form a third, ",
                              "found ", found));
  };
  const std::size_t space = merge.find(' ');
  if (space == std::string::npos || merge.find(' ', space + 1) != std::string::npos) {
    fail(message("'", merge, "', which is not two words"));
  }
  const std::string left = merge.substr(0, space);
  const std::string right = merge.substr(space + 1);
  for (const std::string& part : {left, right, left + right}) {
    if (!index.find(part)) {
      fail(message("the unknown token '", part, "'"));
    }
  }
}

}  // namespace

TokenIndex::TokenIndex(const std::vector<std::string>& tokens, const std::string& where) {
  ids_.reserve(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto [found, is_new] = ids_.emplace(tokens[id], static_cast<TokenId>(id));
    if (!is_new) {
      throw FormatError(message(where, ": expected different tokens, found '", tokens[id],
                                "' with the ids ", found->second, " and ", id));
    }
  }
}

std::optional<TokenId> TokenIndex::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

void fill_vocabulary(TokenizerData& data, std::size_t size) {
  while (data.tokens.size() < size) {
    data.tokens.push_back(message("[PAD", data.tokens.size(), "]"));
    data.types.push_back(TokenType::unused);
  }
}

bool is_filler(std::string_view token, TokenId id) { return token == message("[PAD", id, "]"); }

bool is_byte_token(std::string_view token) {
  constexpr std::string_view kDigits = "0123456789ABCDEFabcdef";
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>') &&
         token.find_first_not_of(kDigits, 3) == 5;
}

void added_tokens_from_types(TokenizerData& data) {
  data.added.clear();
  for (std::size_t id = 0; id < data.types.size(); ++id) {
    const TokenType type = data.types[id];
    if (type == TokenType::control || type == TokenType::unknown ||
        type == TokenType::user_defined) {
      data.added.push_back(
          {.id = static_cast<TokenId>(id), .special = type != TokenType::user_defined});
    }
  }
}

bool guess_turn_ends(TokenizerData& data) {
  const bool had_eot = data.eot.has_value();
  if (!data.eot) {
    data.eot = control_token(data, kEndsOfTurn);
  }
  if (!data.eom) {
    data.eom = control_token(data, kEndsOfMessage);
  }
  return !had_eot && data.eot.has_value();
}

bool adds_bos(const TokenizerData& data) {
  // Falcon's models share Llama 3's rule of cutting text, but were trained without BOS.
  const bool is_llama = data.model == TokenizerModel::sentencepiece_bpe || data.pre == "llama-bpe";
  return data.add_bos.value_or(is_llama && data.bos.has_value());
}

void check_tokenizer(const TokenizerData& data, const std::string& where) {
  const std::size_t count = data.tokens.size();
  if (count == 0 || count > kMaxVocabulary) {
    throw FormatError(message(where, ": expected 1 to ", kMaxVocabulary, " tokens, found ", count));
  }
  if (data.types.size() != count || (!data.scores.empty() && data.scores.size() != count)) {
    throw FormatError(message(where, ": expected a type and a score for each of ", count,
                              " tokens, found ", data.types.size(), " types and ",
                              data.scores.size(), " scores"));
  }
  for (std::size_t id = 0; id < count; ++id) {
    if (!is_utf8(data.tokens[id]) || data.tokens[id].empty()) {
      throw FormatError(message(where, ": token ", id, ": expected text in UTF-8, found ",
                                data.tokens[id].empty() ? "none" : "other bytes"));
    }
  }
  if (data.chat_template && !is_utf8(*data.chat_template)) {
    throw FormatError(message(where, ": expected a chat template in UTF-8, found other bytes"));
  }
  if (!std::ranges::all_of(data.scores, [](float score) { return std::isfinite(score); })) {
    throw FormatError(message(where, ": expected finite scores"));
  }
  const TokenIndex index(data.tokens, where);
  for (std::size_t rank = 0; rank < data.merges.size(); ++rank) {
    check_merge(data.merges[rank], rank, index, where);
  }
  for (const auto& id : {data.bos, data.eos, data.eot, data.eom, data.unknown, data.padding}) {
    if (id.value_or(0) >= count) {
      throw FormatError(
          message(where, ": expected a special token below ", count, ", found ", *id));
    }
  }
}

}  // namespace bitnet
