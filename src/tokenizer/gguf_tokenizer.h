// SPDX-License-Identifier: MIT
// TokenizerData from and to the key-values of a GGUF file.
#pragma once

#include <bitnet/checkpoint.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// nullopt when the file has no vocabulary. Known mistakes of published files are repaired and
/// listed in TokenizerData::repairs. FormatError naming the key; UnsupportedError for a model other
/// than "gpt2" and "llama".
std::optional<TokenizerData> read_gguf_tokenizer(
    const std::map<std::string, MetadataValue>& metadata);

/// In the order of the official BitNet-b1.58-2B-4T file.
std::vector<GgufKeyValue> write_gguf_tokenizer(const TokenizerData& data);

/// How a file says that it has no vocabulary: llama.cpp refuses one that says nothing.
std::vector<GgufKeyValue> gguf_without_tokenizer();

}  // namespace bitnet
