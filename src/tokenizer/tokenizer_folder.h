// SPDX-License-Identifier: MIT
// The tokenizer of a model's folder, whichever files hold it.
#pragma once

#include <filesystem>
#include <optional>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// From tokenizer.json, else from tokenizer.model, which is SentencePiece's or tiktoken's, as its
/// content tells. nullopt when the folder has neither. IoError, FormatError, UnsupportedError.
std::optional<TokenizerData> read_tokenizer(const std::filesystem::path& folder,
                                            const TokenizerHints& hints);

}  // namespace bitnet
