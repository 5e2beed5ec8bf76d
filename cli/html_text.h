// SPDX-License-Identifier: MIT
// Text for HTML pages. Whatever a file says, it ends as text: never as markup, never as a broken
// page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet::cli {

/// For element content and quoted attributes. Each byte that is no UTF-8, and each character that
/// HTML forbids, becomes U+FFFD.
std::string html_escape(std::string_view text);

/// At most `bytes` of it, cut between characters, and then how long the whole is.
std::string shortened_text(std::string_view text, std::size_t bytes);

/// "1,234,567"
std::string with_separators(std::uint64_t number);
/// "2.41 G": three digits with a unit of a thousand each.
std::string format_count(std::uint64_t count);
/// Four significant digits.
std::string format_short(double value);
/// "31.4 %" of the whole, "0 %" of nothing.
std::string format_share(std::uint64_t part, std::uint64_t whole);

}  // namespace bitnet::cli
