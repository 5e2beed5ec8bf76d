// SPDX-License-Identifier: MIT
// tiktoken's vocabulary: lines of base64(token bytes), space, rank. Llama 3's original form.
#pragma once

#include <filesystem>
#include <string_view>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// Llama 3's tokenizer: the file's tokens, the merges that their ranks imply, the 256 special
/// tokens behind them. FormatError naming `file` and line.
TokenizerData read_tiktoken(std::string_view text, const std::filesystem::path& file);

/// Whether a file begins as a tiktoken file does: its first line is base64, space, number.
bool looks_like_tiktoken(std::string_view text);

}  // namespace bitnet
