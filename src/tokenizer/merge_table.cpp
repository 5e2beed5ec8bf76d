// SPDX-License-Identifier: MIT
#include "tokenizer/merge_table.h"

#include <algorithm>
#include <bit>

namespace bitnet {
namespace {

/// No pair: ids stay far below 2^32 - 1.
constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
constexpr std::uint32_t kNone = ~std::uint32_t{0};

/// Up to here a scan for the lowest rank beats a heap.
constexpr std::size_t kFewSymbols = 48;

std::uint64_t pair_of(TokenId left, TokenId right) { return std::uint64_t{left} << 32 | right; }

/// Makes the standard heap's first the one of the lowest order.
struct IsLater {
  bool operator()(const auto& left, const auto& right) const { return left.order > right.order; }
};

}  // namespace

MergeTable::MergeTable(std::size_t merges)
    : slots_(std::bit_ceil(2 * merges + 1), Slot{kEmpty, {}}) {}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  // Fibonacci hashing: the upper half of the product depends on all bits of the pair.
  std::uint64_t hash = pair * 0x9e3779b97f4a7c15U;
  hash ^= hash >> 32;
  std::size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].pair != pair && slots_[slot].pair != kEmpty) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

void MergeTable::add(TokenId left, TokenId right, Merge merge) {
  const std::uint64_t pair = pair_of(left, right);
  slots_[slot_of(pair)] = {pair, merge};
}

const Merge* MergeTable::find(TokenId left, TokenId right) const {
  const Slot& slot = slots_[slot_of(pair_of(left, right))];
  return slot.pair == kEmpty ? nullptr : &slot.merge;
}

void SymbolMerger::merge(std::vector<TokenId>& symbols) {
  if (symbols.size() <= kFewSymbols) {
    merge_few(symbols);
  } else {
    merge_many(symbols);
  }
}

void SymbolMerger::merge_few(std::vector<TokenId>& symbols) {
  const auto merge_at = [&](std::size_t at) { return table_.find(symbols[at], symbols[at + 1]); };
  merges_.clear();
  for (std::size_t at = 0; at + 1 < symbols.size(); ++at) {
    merges_.push_back(merge_at(at));
  }
  while (!merges_.empty()) {
    std::size_t best = 0;
    std::uint32_t rank = kNone;
    for (std::size_t at = 0; at < merges_.size(); ++at) {
      if (merges_[at] != nullptr && merges_[at]->rank < rank) {
        best = at;
        rank = merges_[at]->rank;
      }
    }
    if (rank == kNone) {
      return;
    }
    symbols[best] = merges_[best]->result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    merges_.erase(merges_.begin() + static_cast<std::ptrdiff_t>(best));
    if (best < merges_.size()) {
      merges_[best] = merge_at(best);
    }
    if (best > 0) {
      merges_[best - 1] = merge_at(best - 1);
    }
  }
}

bool SymbolMerger::append_candidate(const std::vector<TokenId>& symbols, std::uint32_t at) {
  const TokenId left = symbols[at];
  const TokenId right = symbols[next_[at]];
  const Merge* const merge = table_.find(left, right);
  if (merge != nullptr) {
    heap_.push_back({std::uint64_t{merge->rank} << 32 | at, left, right});
  }
  return merge != nullptr;
}

void SymbolMerger::merge_many(std::vector<TokenId>& symbols) {
  const auto count = static_cast<std::uint32_t>(symbols.size());
  next_.resize(count);
  previous_.resize(count);
  for (std::uint32_t at = 0; at < count; ++at) {
    next_[at] = at + 1 < count ? at + 1 : kNone;
    previous_[at] = at - 1;  // kNone for the first
  }
  heap_.clear();
  for (std::uint32_t at = 0; at + 1 < count; ++at) {
    append_candidate(symbols, at);
  }
  std::ranges::make_heap(heap_, IsLater());
  const auto push_candidate = [&](std::uint32_t at) {
    if (append_candidate(symbols, at)) {
      std::ranges::push_heap(heap_, IsLater());
    }
  };
  while (!heap_.empty()) {
    std::ranges::pop_heap(heap_, IsLater());
    const Candidate candidate = heap_.back();
    heap_.pop_back();
    const auto at = static_cast<std::uint32_t>(candidate.order);
    // A symbol only ever grows, so one that looks the same is the same.
    const std::uint32_t right = next_[at];
    if (symbols[at] != candidate.left || right == kNone || symbols[right] != candidate.right) {
      continue;
    }
    symbols[at] = table_.find(candidate.left, candidate.right)->result;
    symbols[right] = kNone;
    next_[at] = next_[right];
    if (next_[at] != kNone) {
      previous_[next_[at]] = at;
      push_candidate(at);
    }
    if (previous_[at] != kNone) {
      push_candidate(previous_[at]);
    }
  }
  std::erase(symbols, kNone);
}

}  // namespace bitnet
