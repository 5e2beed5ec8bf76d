// SPDX-License-Identifier: MIT
#include "tokenizer/code_points.h"

#include <algorithm>

#include "formats/utf8.h"
#include "tokenizer/unicode_tables.h"

namespace bitnet {
namespace {

/// By the first byte alone; 1 for bytes that begin nothing.
std::size_t announced_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/// The last character of a text; empty when it ends with none.
std::string_view last_character(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length) {
    const std::string_view end = text.substr(text.size() - length);
    if (character_length(end) == length) {
      return end;
    }
  }
  return {};
}

}  // namespace

std::size_t character_length(std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  const std::size_t length = announced_length(text[0]);
  return length <= text.size() && is_utf8(text.substr(0, length)) ? length : 0;
}

char32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) {
    return byte(0);
  }
  char32_t value = byte(0) & (0x7fU >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i) {
    value = value << 6 | (byte(i) & 0x3fU);
  }
  return value;
}

void append_utf8(char32_t code_point, std::string& text) {
  const auto push = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    push(code_point);
    return;
  }
  const int continuations = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
  constexpr char32_t kLeads[] = {0, 0xc0, 0xe0, 0xf0};
  push(kLeads[continuations] | code_point >> 6 * continuations);
  for (int i = continuations - 1; i >= 0; --i) {
    push(0x80 | (code_point >> 6 * i & 0x3f));
  }
}

std::size_t incomplete_suffix(std::string_view text) {
  for (std::size_t length = std::min<std::size_t>(3, text.size()); length > 0; --length) {
    const std::string_view end = text.substr(text.size() - length);
    const std::size_t whole = announced_length(end[0]);
    if (whole <= length) {
      continue;
    }
    // Only the second byte has a range of its own after some leads, and each such range holds its
    // least or its greatest value.
    for (const char second : {'\x80', '\xbf'}) {
      std::string character(end);
      if (length == 1) {
        character.push_back(second);
      }
      character.resize(whole, '\x80');
      if (is_utf8(character)) {
        return length;
      }
    }
  }
  return 0;
}

bool is_white_space(char32_t code_point) {
  return (code_point >= 0x09 && code_point <= 0x0d) || code_point == 0x20 || code_point == 0x85 ||
         code_point == 0xa0 || code_point == 0x1680 ||
         (code_point >= 0x2000 && code_point <= 0x200a) || code_point == 0x2028 ||
         code_point == 0x2029 || code_point == 0x202f || code_point == 0x205f ||
         code_point == 0x3000;
}

bool is_word_character(char32_t code_point) {
  const auto range = std::ranges::lower_bound(kWordRanges, code_point, {}, &CodePointRange::last);
  return range != kWordRanges.end() && range->first <= code_point;
}

bool ends_with_word(std::string_view text) {
  const std::string_view last = last_character(text);
  return !last.empty() && is_word_character(code_point(last));
}

bool starts_with_word(std::string_view text) {
  const std::size_t length = character_length(text);
  return length > 0 && is_word_character(code_point(text.substr(0, length)));
}

std::size_t trailing_space(std::string_view text) {
  std::size_t space = 0;
  while (true) {
    const std::string_view last = last_character(text.substr(0, text.size() - space));
    if (last.empty() || !is_white_space(code_point(last))) {
      return space;
    }
    space += last.size();
  }
}

std::size_t leading_space(std::string_view text) {
  std::size_t space = 0;
  while (true) {
    const std::string_view rest = text.substr(space);
    const std::size_t length = character_length(rest);
    if (length == 0 || !is_white_space(code_point(rest.substr(0, length)))) {
      return space;
    }
    space += length;
  }
}

}  // namespace bitnet
