// SPDX-License-Identifier: MIT
// Pages in one file: no other file, no network, readable without scripts, light or dark as the
// reader's screen, on phones too.
#pragma once

#include <string>
#include <string_view>

namespace bitnet {

struct HtmlPage {
  std::string title;        ///< text, not yet escaped
  std::string_view style;   ///< CSS beyond what all pages share
  std::string body;         ///< markup
  std::string_view script;  ///< a page without one allows none
  int reload_seconds = 0;   ///< 0: it stays as it is
};
std::string to_html(const HtmlPage& page);

/// A number that stands out, and below it what it counts: for `<dl class="tiles">`. Both are
/// markup.
std::string tile(std::string_view value, std::string_view label);

}  // namespace bitnet
