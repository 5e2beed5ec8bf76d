// SPDX-License-Identifier: MIT
// What holds for every page, whatever it shows.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace bitnet {

inline std::size_t occurrences(const std::string& text, const std::string& wanted) {
  std::size_t count = 0;
  for (std::size_t at = text.find(wanted); at != std::string::npos;
       at = text.find(wanted, at + wanted.size())) {
    ++count;
  }
  return count;
}

/// The tags of a page in order: "p", "/p"; "rect/" for a tag that closes itself. Text in style and
/// script is no markup.
inline std::vector<std::string> tags_of(const std::string& html) {
  std::vector<std::string> tags;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at)) {
    const std::size_t end = html.find('>', at);
    const std::string inside = html.substr(at + 1, end - at - 1);
    const std::string name = inside.substr(0, inside.find_first_of(" \n/", 1));
    tags.push_back(name + (inside.ends_with('/') ? "/" : ""));
    at = name == "style" || name == "script" ? html.find("</" + name, end) : end;
  }
  return tags;
}

/// Oracle: HTML's rules for the elements that our pages use.
inline void expect_balanced(const std::string& html) {
  const std::set<std::string> known = {
      "html",   "head",   "title",  "style",  "body", "main",    "header",    "p",
      "h1",     "h2",     "span",   "dl",     "dd",   "dt",      "div",       "svg",
      "g",      "desc",   "rect",   "text",   "path", "section", "table",     "thead",
      "tr",     "th",     "td",     "tbody",  "i",    "code",    "b",         "small",
      "strong", "figure", "script", "circle", "line", "footer",  "figcaption"};
  std::vector<std::string> open;
  for (const std::string& tag : tags_of(html)) {
    if (tag == "!DOCTYPE" || tag == "meta" || tag.ends_with('/')) {
      continue;
    }
    if (tag.starts_with('/')) {
      ASSERT_FALSE(open.empty()) << tag;
      ASSERT_EQ("/" + open.back(), tag);
      open.pop_back();
    } else {
      ASSERT_TRUE(known.contains(tag)) << tag;
      open.push_back(tag);
    }
  }
  EXPECT_TRUE(open.empty());
}

inline void expect_self_contained(const std::string& html, std::size_t scripts) {
  for (const char* outside : {"://", "src=", "href", "url(", "@import", "<link", "<img"}) {
    EXPECT_EQ(occurrences(html, outside), 0U) << outside;
  }
  EXPECT_EQ(occurrences(html, "<script"), scripts);
}

}  // namespace bitnet
