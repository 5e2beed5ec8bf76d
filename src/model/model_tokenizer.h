// SPDX-License-Identifier: MIT
// The tokenizer that belongs to a model, from whichever files hold it.
#pragma once

#include <optional>
#include <string>

#include "model/model_source.h"
#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// What a model's configuration knows about its tokenizer.
TokenizerHints tokenizer_hints(const ModelConfig& config, const std::string& pre);

/// Of a GGUF file, whatever model it holds. `pre` as below.
std::optional<TokenizerData> read_gguf_tokenizer(const Checkpoint& checkpoint,
                                                 const std::string& pre);

/// nullopt when the checkpoint has none. `pre` overrides the name of the pre-tokenizer, unless it
/// is empty. Throws what the readers throw, and FormatError for a tokenizer with more tokens than
/// the embedding has rows.
std::optional<TokenizerData> read_model_tokenizer(const ModelSource& source,
                                                  const std::string& pre = "");

}  // namespace bitnet
