// SPDX-License-Identifier: MIT
// TokenizerData from and to the files of a Hugging Face folder.
#pragma once

#include <filesystem>
#include <string>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// The texts of a folder's files; empty where there is none.
struct HuggingFaceTexts {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
  std::string special_tokens_map_json;
  std::string added_tokens_json;
  std::string chat_template;  ///< chat_template.jinja
};

/// From tokenizer.json and what stands beside it; `folder` is for messages. FormatError with file,
/// key, expected, found; UnsupportedError for a model that is no BPE, a normalizer or a
/// pre-tokenizer that has no counterpart here.
TokenizerData read_hugging_face(const HuggingFaceTexts& texts, const std::filesystem::path& folder,
                                const TokenizerHints& hints);

/// Adds what stands beside the vocabulary, whatever file that came from: added tokens, special ids,
/// flags, chat template, fillers up to hints.vocab_size. Then the ends of turns are looked for.
void read_tokenizer_config(const HuggingFaceTexts& texts, const std::filesystem::path& folder,
                           const TokenizerHints& hints, TokenizerData& data);

/// tokenizer.json and tokenizer_config.json as the tokenizers library loads them. UnsupportedError
/// for a pre-tokenizer that is not known.
HuggingFaceTexts write_hugging_face(const TokenizerData& data);

}  // namespace bitnet
