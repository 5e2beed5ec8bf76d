// SPDX-License-Identifier: MIT
// The vocabulary of train_tokenizer as SentencePiece itself writes it.
#pragma once

#include <bitnet/train/train_tokenizer.h>

#include <string>

namespace bitnet::train {

/// A protocol buffer, the content of a tokenizer.model. Throws as train_tokenizer does.
std::string train_sentencepiece(const Sources& sources, const TokenizerTraining& options);

}  // namespace bitnet::train
