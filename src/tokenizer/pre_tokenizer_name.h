// SPDX-License-Identifier: MIT
// How text is cut before BPE, and the names that GGUF files give to the ways.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

struct PreTokenizer {
  std::string_view name;
  /// Each splits the pieces of the one before; what lies between matches stays a piece.
  std::span<const std::string_view> patterns;
  bool ignore_merges = false;
};

/// GPT-2's pattern: what ByteLevel with use_regex cuts by.
extern const std::string_view kGpt2Pattern;

/// nullptr for a name that is not known here.
const PreTokenizer* find_pre_tokenizer(std::string_view name);

/// All names: "llama-bpe, llama3, ...".
std::string pre_tokenizer_names();

/// The name of a file's patterns, however they are spelled. Names also tell models apart whose
/// patterns agree: by the size of the vocabulary and its eos id. UnsupportedError names the
/// patterns and the known names.
std::string pre_tokenizer_name(std::span<const std::string> patterns, bool ignore_merges,
                               std::size_t vocab_size, std::optional<TokenId> eos);

}  // namespace bitnet
