// SPDX-License-Identifier: MIT
// Text cut by regular expressions, as a PreTokenizer says. Two files implement it: one on PCRE2,
// and no_pcre2.cpp for builds without.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace bitnet {

/// Immutable; safe to use from many threads at once.
class PatternSplitter {
 public:
  using Sink = std::function<void(std::string_view piece)>;

  /// UnsupportedError in a build without PCRE2; InvalidArgument for a pattern that is none.
  explicit PatternSplitter(std::span<const std::string_view> patterns);
  ~PatternSplitter();
  PatternSplitter(PatternSplitter&&) noexcept;
  PatternSplitter& operator=(PatternSplitter&&) noexcept;

  /// Whether this build has patterns at all.
  static bool is_available();

  /// Hands out the pieces of `text`, which is UTF-8, in order: the matches of the first pattern and
  /// what lies between them, each cut in turn by the patterns that follow as if it stood alone.
  /// Error when a match needs more memory than there is.
  void split(std::string_view text, const Sink& sink) const;

 private:
  struct Pattern;
  std::vector<Pattern> patterns_;
};

}  // namespace bitnet
