// SPDX-License-Identifier: MIT
#include "generation/stop_strings.h"

#include <algorithm>
#include <utility>

namespace bitnet {
namespace {

/// Length of the longest end of `text` that `stop` begins with.
std::size_t overlap(std::string_view text, std::string_view stop) {
  for (std::size_t length = std::min(text.size(), stop.size()); length != 0; --length) {
    if (text.ends_with(stop.substr(0, length))) {
      return length;
    }
  }
  return 0;
}

}  // namespace

std::string StopStrings::add(std::string_view piece) {
  if (found_) {
    return {};
  }
  held_ += piece;
  std::size_t end = std::string::npos;
  std::size_t undecided = 0;
  for (const std::string& stop : strings_) {
    if (!stop.empty()) {
      end = std::min(end, held_.find(stop));
      undecided = std::max(undecided, overlap(held_, stop));
    }
  }
  found_ = end != std::string::npos;
  std::string certain = held_.substr(0, found_ ? end : held_.size() - undecided);
  held_.erase(0, found_ ? held_.size() : certain.size());
  return certain;
}

std::string StopStrings::flush() { return std::exchange(held_, {}); }

}  // namespace bitnet
