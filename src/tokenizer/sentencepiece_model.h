// SPDX-License-Identifier: MIT
// SentencePiece's tokenizer.model, a protocol buffer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// Pieces with scores and types, the special ids and the dummy prefix. FormatError naming `file`
/// and byte offset; UnsupportedError for a model that is no BPE.
TokenizerData read_sentencepiece(std::span<const std::byte> bytes,
                                 const std::filesystem::path& file);

}  // namespace bitnet
