// SPDX-License-Identifier: MIT
// Oracle: std::string::find on the whole text.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "generation/stop_strings.h"

namespace bitnet {
namespace {

/// Feeds `text` in pieces of `size` bytes; returns what came out.
std::string filter(const std::string& text, std::size_t size, const std::vector<std::string>& stops,
                   bool& found) {
  StopStrings filter(stops);
  std::string out;
  for (std::size_t at = 0; at < text.size() && !filter.found(); at += size) {
    out += filter.add(text.substr(at, size));
  }
  found = filter.found();
  return out + filter.flush();
}

TEST(StopStrings, EveryCutOfATextGivesTheSame) {
  const std::vector<std::vector<std::string>> lists = {
      {}, {""}, {"ab"}, {"aab", "b"}, {"abcab"}, {"zz", "ca"}, {"c", "bc", "abc"}};
  for (const std::string text : {"", "a", "aaab", "abcabcab", "xaabyab", "zzzz", "cabcab"}) {
    for (const auto& stops : lists) {
      std::size_t end = std::string::npos;
      for (const std::string& stop : stops) {
        if (!stop.empty()) end = std::min(end, text.find(stop));
      }
      for (std::size_t size = 1; size <= text.size() + 1; ++size) {
        bool found = false;
        const std::string out = filter(text, size, stops, found);
        EXPECT_EQ(found, end != std::string::npos) << text << " in pieces of " << size;
        EXPECT_EQ(out, text.substr(0, end)) << text << " in pieces of " << size;
      }
    }
  }
}

TEST(StopStrings, HoldBackOnlyWhatMayBecomeAStop) {
  const std::vector<std::string> stops = {"END"};
  StopStrings filter(stops);
  EXPECT_EQ(filter.add("the E"), "the ");
  EXPECT_EQ(filter.add("N"), "");
  EXPECT_EQ(filter.add("GINE"), "ENGIN");
  EXPECT_EQ(filter.add("ND"), "");
  EXPECT_TRUE(filter.found());
  EXPECT_EQ(filter.add("more"), "");
}

}  // namespace
}  // namespace bitnet
