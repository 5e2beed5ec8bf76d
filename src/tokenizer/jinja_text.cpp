// SPDX-License-Identifier: MIT
#include "tokenizer/jinja_text.h"

#include <algorithm>
#include <cstddef>

namespace bitnet {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Appends a string literal that begins at text[at]; returns where it ends.
std::size_t append_literal(std::string_view text, std::size_t at, std::string& canonical) {
  const char quote = text[at++];
  canonical.push_back('\'');
  for (; at < text.size() && text[at] != quote; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      canonical += text.substr(at++, 2);
    } else if (text[at] == '\n') {
      canonical += "\\n";
    } else if (text[at] == '\'') {
      canonical += "\\'";
    } else {
      canonical.push_back(text[at]);
    }
  }
  canonical.push_back('\'');
  return std::min(at + 1, text.size());
}

/// Blanks stay only between two words, one each.
std::string canonical_expression(std::string_view text) {
  std::string canonical;
  bool had_blank = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (kBlanks.find(c) != std::string_view::npos) {
      had_blank = true;
      ++at;
      continue;
    }
    if (had_blank && !canonical.empty() && is_name_character(canonical.back()) &&
        is_name_character(c)) {
      canonical.push_back(' ');
    }
    had_blank = false;
    if (c == '\'' || c == '"') {
      at = append_literal(text, at, canonical);
    } else {
      canonical.push_back(c);
      ++at;
    }
  }
  return canonical;
}

/// Where the next tag begins; the end of the text when there is none.
std::size_t begin_of_tag(std::string_view text) {
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] == '{' && std::string_view("{%#").find(text[at + 1]) != std::string_view::npos) {
      return at;
    }
  }
  return text.size();
}

/// Where the tag that begins at `begin` is closed: behind the closing mark.
std::size_t end_of_tag(std::string_view text, std::size_t begin) {
  const char mark = text[begin + 1];
  const std::string close = mark == '{' ? "}}" : std::string(1, mark) + "}";
  char quote = 0;
  for (std::size_t at = begin + 2; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      at += c == '\\' ? 1 : 0;
      quote = c == quote ? char{0} : quote;
    } else if (mark != '#' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (text.substr(at).starts_with(close)) {
      return at + close.size();
    }
  }
  return text.size();
}

std::string_view without_trailing(std::string_view text, std::string_view blanks) {
  const std::size_t last = text.find_last_not_of(blanks);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// lstrip_blocks: blanks between the beginning of a line and a block go.
std::string_view without_indentation(std::string_view text, bool begins_line) {
  const std::string_view stripped = without_trailing(text, " \t");
  return stripped.ends_with('\n') || (stripped.empty() && begins_line) ? stripped : text;
}

}  // namespace

std::string canonical_jinja(std::string_view text) {
  std::string canonical;
  bool strip_next = false;
  bool begins_line = true;
  while (!text.empty()) {
    const std::size_t begin = begin_of_tag(text);
    std::string_view data = text.substr(0, begin);
    if (strip_next) {
      data.remove_prefix(std::min(data.find_first_not_of(kBlanks), data.size()));
    }
    if (begin == text.size()) {
      canonical += without_trailing(data, "\n");  // Jinja drops a last line break
      break;
    }
    const char mark = text[begin + 1];
    const std::size_t end = end_of_tag(text, begin);
    std::string_view inner = text.substr(begin + 2, end - begin - 2);
    inner = inner.substr(0, inner.size() - std::min<std::size_t>(2, inner.size()));
    if (inner.starts_with('-')) {
      data = without_trailing(data, kBlanks);
      inner.remove_prefix(1);
    } else if (mark != '{') {
      data = without_indentation(data, begins_line);
    }
    strip_next = inner.ends_with('-');
    inner.remove_suffix(strip_next ? 1 : 0);
    canonical += data;
    if (mark != '#') {
      canonical += std::string{'{', mark} + canonical_expression(inner) + '}';
    }
    text.remove_prefix(end);
    // trim_blocks: the line break behind a block goes.
    begins_line = mark != '{' && text.starts_with('\n');
    text.remove_prefix(begins_line ? 1 : 0);
  }
  return canonical;
}

}  // namespace bitnet
