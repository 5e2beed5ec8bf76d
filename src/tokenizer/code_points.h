// SPDX-License-Identifier: MIT
// Text as characters: UTF-8 taken apart and put together, and the classes of characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

/// Bytes of the character that `text` begins with; 0 when it begins with none.
std::size_t character_length(std::string_view text);

/// The code point of one character, as character_length() delimits it.
char32_t code_point(std::string_view character);

void append_utf8(char32_t code_point, std::string& text);

/// Bytes at the end of `text` that begin a character which more bytes could complete: 0 to 3.
std::size_t incomplete_suffix(std::string_view text);

/// Calls `valid(run)` for every longest run of whole characters and `invalid(run)` for what lies
/// between, in order.
template <class Valid, class Invalid>
void for_each_utf8_run(std::string_view text, const Valid& valid, const Invalid& invalid);

/// Unicode's White_Space.
bool is_white_space(char32_t code_point);

/// Whether a regular expression's \w matches.
bool is_word_character(char32_t code_point);

/// Of the last or first character of a text; false when the text ends or begins with none.
bool ends_with_word(std::string_view text);
bool starts_with_word(std::string_view text);

/// Bytes of white space at the end or the beginning.
std::size_t trailing_space(std::string_view text);
std::size_t leading_space(std::string_view text);

template <class Valid, class Invalid>
void for_each_utf8_run(std::string_view text, const Valid& valid, const Invalid& invalid) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = begin;
    while (const std::size_t length = character_length(text.substr(end))) {
      end += length;
    }
    if (end > begin) {
      valid(text.substr(begin, end - begin));
    }
    begin = end;
    while (end < text.size() && character_length(text.substr(end)) == 0) {
      ++end;
    }
    if (end > begin) {
      invalid(text.substr(begin, end - begin));
    }
    begin = end;
  }
}

}  // namespace bitnet
