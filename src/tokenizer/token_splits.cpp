// SPDX-License-Identifier: MIT
#include "tokenizer/token_splits.h"

#include <bitnet/error.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

/// llama.cpp's scores of tokens that no merge forms.
constexpr float kAddedScore = -1000.0F;
constexpr float kFillerScore = -10000.0F;

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

std::vector<TokenId> normal_tokens(const TokenizerData& data) {
  std::vector<TokenId> normal;
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    if (data.types[id] == TokenType::normal) {
      normal.push_back(static_cast<TokenId>(id));
    }
  }
  return normal;
}

/// Rank of the first merge that forms a token.
std::unordered_map<std::string, std::size_t> first_ranks(const std::vector<std::string>& merges) {
  std::unordered_map<std::string, std::size_t> ranks;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    std::string token = merges[rank];
    token.erase(token.find(' '), 1);
    ranks.emplace(std::move(token), rank);
  }
  return ranks;
}

}  // namespace

std::vector<std::string> merges_of_ranking(const std::vector<std::string>& tokens,
                                           std::span<const TokenId> ranked,
                                           const std::string& where) {
  std::unordered_map<std::string_view, TokenId> ids;
  ids.reserve(ranked.size());
  for (const TokenId id : ranked) {
    ids.emplace(tokens[id], id);
  }
  std::vector<std::string> merges;
  std::vector<std::pair<TokenId, TokenId>> pairs;
  for (const TokenId id : ranked) {
    const std::string_view token = tokens[id];
    if (token.size() > kMaxSplitTokenBytes) {
      throw FormatError(message(where, ": token ", id, ": expected at most ", kMaxSplitTokenBytes,
                                " bytes, found ", token.size()));
    }
    pairs.clear();
    for (std::size_t cut = 1; cut < token.size(); ++cut) {
      if (!starts_character(token[cut])) {
        continue;
      }
      const auto left = ids.find(token.substr(0, cut));
      const auto right = ids.find(token.substr(cut));
      if (left != ids.end() && right != ids.end()) {
        pairs.emplace_back(left->second, right->second);
      }
    }
    std::ranges::sort(pairs);
    for (const auto& [left, right] : pairs) {
      merges.push_back(tokens[left] + ' ' + tokens[right]);
    }
  }
  return merges;
}

std::vector<std::string> merges_of_scores(const TokenizerData& data, const std::string& where) {
  std::vector<TokenId> ranked = normal_tokens(data);
  std::ranges::stable_sort(ranked, std::ranges::greater{},
                           [&](TokenId id) { return data.scores[id]; });
  return merges_of_ranking(data.tokens, ranked, where);
}

void score_appended_tokens(TokenizerData& data) {
  for (std::size_t id = data.scores.size(); id < data.tokens.size(); ++id) {
    const TokenType type = data.types[id];
    data.scores.push_back(type == TokenType::unused         ? kFillerScore
                          : type == TokenType::user_defined ? kAddedScore
                                                            : 0.0F);
  }
}

void scores_from_merges(TokenizerData& data, const std::string& where) {
  data.scores.clear();
  score_appended_tokens(data);
  // SentencePiece numbers its normal tokens 0, -1, -2, ... as it finds them; so do we where the
  // merges come in that order.
  const std::vector<TokenId> normal = normal_tokens(data);
  for (std::size_t i = 0; i < normal.size(); ++i) {
    data.scores[normal[i]] = 0.0F - static_cast<float>(i);
  }
  if (merges_of_scores(data, where) == data.merges) {
    data.merges.clear();
    return;
  }
  const auto ranks = first_ranks(data.merges);
  for (const TokenId id : normal) {
    const auto rank = ranks.find(data.tokens[id]);
    data.scores[id] =
        0.0F - static_cast<float>(rank == ranks.end() ? data.merges.size() : rank->second);
  }
  if (merges_of_scores(data, where) == data.merges) {
    data.merges.clear();
  }
}

}  // namespace bitnet
