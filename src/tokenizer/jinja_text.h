// SPDX-License-Identifier: MIT
// Jinja programs compared by what they say, however they are written.
#pragma once

#include <string>
#include <string_view>

namespace bitnet {

/// The same text for programs that differ only in blanks within tags, kinds of quotes, line breaks
/// written as characters or as \n, comments, and white space that "-", trim_blocks and
/// lstrip_blocks (which Hugging Face sets) take away. Any text is accepted.
std::string canonical_jinja(std::string_view text);

}  // namespace bitnet
