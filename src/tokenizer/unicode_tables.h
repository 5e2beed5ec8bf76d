// SPDX-License-Identifier: MIT
// What Unicode says about characters, as far as tokenizers ask (scripts/generate_unicode_tables).
#pragma once

#include <cstdint>
#include <span>

namespace bitnet {

/// A character that decomposes into two, which compose to it again.
struct CanonicalPair {
  char32_t composed, first, second;
};

/// A complete decomposition that composition does not undo; unused places are 0.
struct OneWayDecomposition {
  char32_t character;
  char32_t parts[4];
};

struct CombiningRange {
  char32_t first, last;
  std::uint8_t combining_class;  // not 0
};

struct CodePointRange {
  char32_t first, last;
};

// All ascending. Hangul syllables are not listed: they follow from arithmetic.
extern const std::span<const CanonicalPair> kCanonicalPairs;
extern const std::span<const OneWayDecomposition> kOneWayDecompositions;
extern const std::span<const CombiningRange> kCombiningRanges;
/// Regular expressions' \w: alphabetic characters, marks, decimal digits, connecting punctuation
/// and joiners.
extern const std::span<const CodePointRange> kWordRanges;

}  // namespace bitnet
