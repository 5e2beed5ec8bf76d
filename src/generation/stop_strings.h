// SPDX-License-Identifier: MIT
// Finds the first stop string in a text that arrives piece by piece.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bitnet {

class StopStrings {
 public:
  /// The strings must outlive it; empty ones are ignored.
  explicit StopStrings(std::span<const std::string> strings) : strings_(strings) {}

  /// The part of the text so far, this piece included, that no stop string can begin in and that
  /// was not returned before.
  std::string add(std::string_view piece);
  /// Whether a stop string was found; what came from it on is dropped.
  bool found() const { return found_; }
  /// What is held back; the text has ended.
  std::string flush();

 private:
  std::span<const std::string> strings_;
  std::string held_;
  bool found_ = false;
};

}  // namespace bitnet
