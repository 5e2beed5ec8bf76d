// SPDX-License-Identifier: MIT
#include <bitnet/error.h>

#include "tokenizer/pattern_splitter.h"

namespace bitnet {

struct PatternSplitter::Pattern {};

PatternSplitter::PatternSplitter(std::span<const std::string_view> /*patterns*/) {
  throw UnsupportedError(
      "byte-level BPE cuts text by patterns, which need PCRE2: this build of bitnet is without");
}

PatternSplitter::~PatternSplitter() = default;
PatternSplitter::PatternSplitter(PatternSplitter&&) noexcept = default;
PatternSplitter& PatternSplitter::operator=(PatternSplitter&&) noexcept = default;

bool PatternSplitter::is_available() { return false; }

void PatternSplitter::split(std::string_view /*text*/, const Sink& /*sink*/) const {}

}  // namespace bitnet
