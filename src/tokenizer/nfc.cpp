// SPDX-License-Identifier: MIT
#include "tokenizer/nfc.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "tokenizer/code_points.h"
#include "tokenizer/unicode_tables.h"

namespace bitnet {
namespace {

/// Hangul syllables decompose by arithmetic: syllable = base + (L * 21 + V) * 28 + T.
constexpr char32_t kSyllableBase = 0xac00;
constexpr char32_t kLeadBase = 0x1100;
constexpr char32_t kVowelBase = 0x1161;
constexpr char32_t kTrailBase = 0x11a7;
constexpr char32_t kLeads = 19;
constexpr char32_t kVowels = 21;
constexpr char32_t kTrails = 28;
constexpr char32_t kSyllables = kLeads * kVowels * kTrails;

struct Character {
  char32_t code_point;
  std::uint8_t combining_class;
};

std::uint8_t combining_class(char32_t code_point) {
  const auto range =
      std::ranges::lower_bound(kCombiningRanges, code_point, {}, &CombiningRange::last);
  return range != kCombiningRanges.end() && range->first <= code_point ? range->combining_class : 0;
}

void push(char32_t code_point, std::vector<Character>& text) {
  text.push_back({code_point, combining_class(code_point)});
}

void decompose(char32_t code_point, std::vector<Character>& text) {
  if (code_point - kSyllableBase < kSyllables) {
    const char32_t index = code_point - kSyllableBase;
    push(kLeadBase + index / (kVowels * kTrails), text);
    push(kVowelBase + index / kTrails % kVowels, text);
    if (index % kTrails != 0) {
      push(kTrailBase + index % kTrails, text);
    }
    return;
  }
  const auto pair =
      std::ranges::lower_bound(kCanonicalPairs, code_point, {}, &CanonicalPair::composed);
  if (pair != kCanonicalPairs.end() && pair->composed == code_point) {
    decompose(pair->first, text);  // the second never decomposes
    push(pair->second, text);
    return;
  }
  const auto one_way = std::ranges::lower_bound(kOneWayDecompositions, code_point, {},
                                                &OneWayDecomposition::character);
  if (one_way == kOneWayDecompositions.end() || one_way->character != code_point) {
    push(code_point, text);
    return;
  }
  for (const char32_t part : one_way->parts) {
    if (part != 0) {
      push(part, text);
    }
  }
}

/// Marks behind one another, by combining class.
void reorder(std::vector<Character>& text) {
  for (auto begin = text.begin(); begin != text.end();) {
    if (begin->combining_class == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, text.end(), [](const Character& character) {
      return character.combining_class == 0;
    });
    std::ranges::stable_sort(begin, end, {}, &Character::combining_class);
    begin = end;
  }
}

/// Indices of kCanonicalPairs by what the pairs consist of.
const std::vector<std::uint16_t>& pairs_by_parts() {
  static const std::vector<std::uint16_t> order = [] {
    std::vector<std::uint16_t> indices(kCanonicalPairs.size());
    std::iota(indices.begin(), indices.end(), std::uint16_t{0});
    std::ranges::sort(indices, {}, [](std::uint16_t i) {
      return std::pair(kCanonicalPairs[i].first, kCanonicalPairs[i].second);
    });
    return indices;
  }();
  return order;
}

std::optional<char32_t> compose(char32_t first, char32_t second) {
  if (first - kLeadBase < kLeads && second - kVowelBase < kVowels) {
    return kSyllableBase + ((first - kLeadBase) * kVowels + second - kVowelBase) * kTrails;
  }
  if (first - kSyllableBase < kSyllables && (first - kSyllableBase) % kTrails == 0 &&
      second > kTrailBase && second - kTrailBase < kTrails) {
    return first + second - kTrailBase;
  }
  const auto& order = pairs_by_parts();
  const auto parts = [](std::uint16_t i) {
    return std::pair(kCanonicalPairs[i].first, kCanonicalPairs[i].second);
  };
  const auto found = std::ranges::lower_bound(order, std::pair(first, second), {}, parts);
  if (found == order.end() || parts(*found) != std::pair(first, second)) {
    return std::nullopt;
  }
  return kCanonicalPairs[*found].composed;
}

/// Joins each starter with what follows, unless something between them of the same or a higher
/// class, or another starter, blocks the way. Written places never pass the one that is read.
void compose(std::vector<Character>& text) {
  std::size_t size = 0;
  std::optional<std::size_t> starter;
  for (const Character character : text) {
    const bool is_next = starter && *starter + 1 == size;
    const bool is_blocked =
        !starter || (!is_next && text[size - 1].combining_class >= character.combining_class);
    const auto composed =
        is_blocked ? std::nullopt : compose(text[*starter].code_point, character.code_point);
    if (composed) {
      text[*starter].code_point = *composed;
      continue;
    }
    if (character.combining_class == 0) {
      starter = size;
    }
    text[size++] = character;
  }
  text.resize(size);
}

/// Whether the first byte of a character is of one at or above U+0300 (CC 80). Below, characters
/// are in form C, are starters, and join nothing in front of them.
bool may_change(char byte) { return static_cast<unsigned char>(byte) >= 0xcc; }

/// Appends the form C of a text that begins with a starter or with the text itself.
void append_composed(std::string_view text, std::vector<Character>& characters,
                     std::string& composed) {
  characters.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.substr(at));
    decompose(code_point(text.substr(at, length)), characters);
    at += length;
  }
  reorder(characters);
  compose(characters);
  for (const Character character : characters) {
    append_utf8(character.code_point, composed);
  }
}

}  // namespace

std::string to_nfc(std::string_view text) {
  std::string composed;
  composed.reserve(text.size());
  std::vector<Character> characters;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto change =
        std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), may_change);
    std::size_t begin = static_cast<std::size_t>(change - text.begin());
    if (begin == text.size()) {
      break;
    }
    // With the character in front, which what follows may join.
    std::size_t end = begin;
    while (begin > at && (text[--begin] & 0xc0) == 0x80) {
    }
    while (end < text.size() && may_change(text[end])) {
      end += character_length(text.substr(end));
    }
    composed += text.substr(at, begin - at);
    append_composed(text.substr(begin, end - begin), characters, composed);
    at = end;
  }
  composed += text.substr(at);
  return composed;
}

}  // namespace bitnet
