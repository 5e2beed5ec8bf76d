// SPDX-License-Identifier: MIT
// Text for HTML pages. Whatever a file says, it ends as text: never as markup, never as a broken
// page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

/// For element content and quoted attributes. Each byte that is no UTF-8, and each character that
/// HTML forbids, becomes U+FFFD.
std::string html_escape(std::string_view text);

/// At most `bytes` of it, cut between characters, and then how long the whole is.
std::string shortened_text(std::string_view text, std::size_t bytes);

}  // namespace bitnet
