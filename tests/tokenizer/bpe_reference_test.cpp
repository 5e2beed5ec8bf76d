// SPDX-License-Identifier: MIT
// Oracle: byte-pair encoding as its definition says it, in quadratic time, on strings.
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/encoding_vocabularies.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

using Strings = std::vector<std::string>;
using Random = std::mt19937;

std::size_t below(Random& random, std::size_t n) { return random() % n; }

/// Tokens over `letters`, each made of two that exist, with the merges in random order.
TokenizerData random_vocabulary(Random& random, const std::string& letters, std::size_t merges) {
  Strings tokens;
  for (const char letter : letters) tokens.emplace_back(1, letter);
  std::set<std::string> known(tokens.begin(), tokens.end());
  std::set<std::string> pairs;
  for (std::size_t i = 0; i < merges; ++i) {
    const std::string left = tokens[below(random, tokens.size())];
    const std::string right = tokens[below(random, tokens.size())];
    if (known.insert(left + right).second) tokens.push_back(left + right);
    pairs.insert(left + ' ' + right);
  }
  TokenizerData data = test::byte_vocabulary(
      Strings(tokens.begin() + static_cast<long>(letters.size()), tokens.end()));
  data.merges.assign(pairs.begin(), pairs.end());
  std::ranges::shuffle(data.merges, random);
  return data;
}

Strings merged_by_definition(const std::string& word, const Strings& merges) {
  std::map<std::string, std::size_t> ranks;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) ranks[merges[rank]] = rank;
  Strings symbols;
  for (const char letter : word) symbols.emplace_back(1, letter);
  while (true) {
    std::size_t best_rank = merges.size();
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ranks.find(symbols[i] + ' ' + symbols[i + 1]);
      if (found != ranks.end() && found->second < best_rank) {
        best_rank = found->second;
        best = i;
      }
    }
    if (best_rank == merges.size()) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<long>(best) + 1);
  }
}

Strings pieces(const Tokenizer& tokenizer, const std::string& word) {
  Strings texts;
  for (const TokenId id : tokenizer.encode(word, {.add_special = false})) {
    texts.push_back(tokenizer.token_bytes(id));
  }
  return texts;
}

class BpeReference : public testing::Test {
 protected:
  void SetUp() override {
    if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  }
};

TEST_F(BpeReference, WordsOfEveryLength) {
  Random random(1);
  for (const std::size_t merges : {0U, 1U, 5U, 30U, 200U}) {
    for (const std::string letters : {"a", "ab", "abcd"}) {
      const TokenizerData data = random_vocabulary(random, letters, merges);
      const Tokenizer tokenizer(data);
      for (std::size_t length = 0; length < 140; ++length) {
        std::string word;
        for (std::size_t i = 0; i < length; ++i) word += letters[below(random, letters.size())];
        ASSERT_EQ(pieces(tokenizer, word), merged_by_definition(word, data.merges)) << word;
      }
    }
  }
}

// The same vocabulary as SentencePiece has it, where the merges are a list by rank.
TEST_F(BpeReference, SentencePieceWithMerges) {
  Random random(2);
  const std::string letters = "abc";
  TokenizerData data = random_vocabulary(random, letters, 60);
  data.model = TokenizerModel::sentencepiece_bpe;
  data.scores.assign(data.tokens.size(), 0.0F);
  data.add_space_prefix = false;
  const Tokenizer tokenizer(data);
  for (std::size_t length = 0; length < 140; ++length) {
    std::string word;
    for (std::size_t i = 0; i < length; ++i) word += letters[below(random, letters.size())];
    ASSERT_EQ(pieces(tokenizer, word), merged_by_definition(word, data.merges)) << word;
  }
}

// SentencePiece's own rule: the pair whose result scores highest, of several the leftmost.
TEST(SentencePieceReference, ScoresWithTies) {
  Random random(3);
  const std::string letters = "ab";
  TokenizerData data = random_vocabulary(random, letters, 40);
  data.model = TokenizerModel::sentencepiece_bpe;
  data.merges.clear();
  data.add_space_prefix = false;
  std::map<std::string, float> scores;
  for (const std::string& token : data.tokens) {
    data.scores.push_back(-static_cast<float>(below(random, 10)));
    scores[token] = data.scores.back();
  }
  const Tokenizer tokenizer(data);
  for (std::size_t length = 0; length < 140; ++length) {
    std::string word;
    for (std::size_t i = 0; i < length; ++i) word += letters[below(random, letters.size())];
    Strings symbols;
    for (const char letter : word) symbols.emplace_back(1, letter);
    while (true) {
      std::optional<std::size_t> best;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto found = scores.find(symbols[i] + symbols[i + 1]);
        if (found != scores.end() &&
            (!best || found->second > scores[symbols[*best] + symbols[*best + 1]])) {
          best = i;
        }
      }
      if (!best) break;
      symbols[*best] += symbols[*best + 1];
      symbols.erase(symbols.begin() + static_cast<long>(*best) + 1);
    }
    ASSERT_EQ(pieces(tokenizer, word), symbols) << word;
  }
}

}  // namespace
}  // namespace bitnet
