// SPDX-License-Identifier: MIT
#include <bitnet/error.h>

#include <array>
#include <string>
#include <utility>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/message.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using Code = std::unique_ptr<pcre2_code, Free>;
using MatchData = std::unique_ptr<pcre2_match_data, Free>;

std::string error_text(int code) {
  constexpr std::size_t kMaxText = 256;
  std::array<PCRE2_UCHAR, kMaxText> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// PCRE2's \s has U+180E, which is no white space to Unicode nor to Oniguruma, the engine that the
/// patterns were written for: \s and \S are spelled out.
std::string with_unicode_spaces(std::string_view pattern) {
  constexpr std::string_view kSpaces =
      R"(\t-\r\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  std::string spelled;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view rest = pattern.substr(i);
    if (rest.starts_with("\\s") || (rest.starts_with("\\S") && !in_class)) {
      spelled += in_class ? "" : rest[1] == 's' ? "[" : "[^";
      spelled += kSpaces;
      spelled += in_class ? "" : "]";
      ++i;
    } else if (rest[0] == '\\' && rest.size() > 1) {
      spelled += rest.substr(0, 2);
      ++i;
    } else {
      in_class = rest[0] == '[' || (in_class && rest[0] != ']');
      spelled += rest[0];
    }
  }
  return spelled;
}

Code compile(std::string_view pattern) {
  const std::string spelled = with_unicode_spaces(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelled.data()), spelled.size(),
                          PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
  if (!code) {
    throw InvalidArgument(message("pattern ", pattern, ": expected a regular expression, found ",
                                  error_text(error), " at byte ", offset));
  }
  // Where machine code is not to be had, the same matches are found without, more slowly.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return code;
}

}  // namespace

struct PatternSplitter::Pattern {
  Code code;

  MatchData match_data() const {
    MatchData data(pcre2_match_data_create_from_pattern(code.get(), nullptr));
    if (!data) {
      throw std::bad_alloc();
    }
    return data;
  }

  /// The next match at or behind `begin` that is not empty; false when there is none.
  bool find(std::string_view text, std::size_t begin, pcre2_match_data* data) const {
    const int count =
        pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin,
                    PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, data, nullptr);
    if (count < 0 && count != PCRE2_ERROR_NOMATCH) {
      throw Error(message("cutting ", text.size(), " bytes of text: ", error_text(count)));
    }
    return count >= 0;
  }
};

namespace {

/// Cuts by patterns[level] and hands the pieces to the next level.
template <class Pattern>
void split_from(std::span<const Pattern> patterns, std::span<const MatchData> data,
                std::string_view text, const PatternSplitter::Sink& sink) {
  if (patterns.empty()) {
    sink(text);
    return;
  }
  const auto next = [&](std::size_t begin, std::size_t end) {
    if (begin < end) {
      split_from(patterns.subspan(1), data.subspan(1), text.substr(begin, end - begin), sink);
    }
  };
  pcre2_match_data* const found = data.front().get();
  const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(found);
  std::size_t at = 0;
  while (at < text.size() && patterns.front().find(text, at, found)) {
    next(at, ends[0]);
    const std::size_t end = ends[1];
    next(ends[0], end);
    at = end;
  }
  next(at, text.size());
}

}  // namespace

PatternSplitter::PatternSplitter(std::span<const std::string_view> patterns) {
  for (const std::string_view pattern : patterns) {
    patterns_.push_back({compile(pattern)});
  }
}

PatternSplitter::~PatternSplitter() = default;
PatternSplitter::PatternSplitter(PatternSplitter&&) noexcept = default;
PatternSplitter& PatternSplitter::operator=(PatternSplitter&&) noexcept = default;

bool PatternSplitter::is_available() { return true; }

void PatternSplitter::split(std::string_view text, const Sink& sink) const {
  std::vector<MatchData> data;
  for (const Pattern& pattern : patterns_) {
    data.push_back(pattern.match_data());
  }
  split_from<Pattern>(patterns_, data, text, sink);
}

}  // namespace bitnet
