// SPDX-License-Identifier: MIT
// Which two tokens become a third, and in which order: the heart of byte-pair encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

struct Merge {
  std::uint32_t rank;  ///< the lowest goes first
  TokenId result;
};

/// A map from pairs of tokens. Open addressing, at most half full: nearly every look-up of a long
/// text misses the cache once and not twice.
class MergeTable {
 public:
  explicit MergeTable(std::size_t merges);
  /// The last of several merges of one pair holds, as in Hugging Face tokenizers.
  void add(TokenId left, TokenId right, Merge merge);
  /// nullptr for a pair that does not merge.
  const Merge* find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    std::uint64_t pair;
    Merge merge;
  };
  std::size_t slot_of(std::uint64_t pair) const;

  std::vector<Slot> slots_;  // a power of two
};

/// Merges neighbours in `symbols` until no pair of them merges: each time the pair of the lowest
/// rank, of several the leftmost. Linear up to a factor of log n.
class SymbolMerger {
 public:
  explicit SymbolMerger(const MergeTable& table) : table_(table) {}
  void merge(std::vector<TokenId>& symbols);

 private:
  struct Candidate {
    std::uint64_t order;  ///< rank, then position: the smallest is next
    TokenId left, right;  ///< what stood there: if it no longer does, the candidate is void
  };
  void merge_few(std::vector<TokenId>& symbols);
  void merge_many(std::vector<TokenId>& symbols);
  bool append_candidate(const std::vector<TokenId>& symbols, std::uint32_t at);

  const MergeTable& table_;
  // Kept between calls for their memory alone.
  std::vector<const Merge*> merges_;
  std::vector<Candidate> heap_;
  std::vector<std::uint32_t> next_, previous_;
};

}  // namespace bitnet
