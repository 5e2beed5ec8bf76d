// SPDX-License-Identifier: MIT
// SentencePiece's BPE: characters are joined by the scores of what they form, U+2581 for spaces.
#pragma once

#include <array>
#include <unordered_map>

#include "tokenizer/merge_table.h"
#include "tokenizer/subword_model.h"

namespace bitnet {

class SentencePieceBpe : public SubwordModel {
 public:
  /// `index` is that of data.tokens.
  SentencePieceBpe(const TokenizerData& data, const TokenIndex& index);

  /// U+2581 for each space, and one in front where the model adds it.
  std::optional<std::string> normalized(std::string_view text) const override;
  /// A character that is no token becomes those of its bytes, or else the unknown token, one for
  /// several in a row; a byte that is no UTF-8 is such a character.
  void encode(std::string_view normalized, std::vector<TokenId>& ids) const override;

 private:
  void add_merges(const TokenizerData& data, const TokenIndex& index);
  void append_symbol(std::string_view character, std::vector<TokenId>& symbols) const;

  bool add_space_prefix_;
  std::optional<TokenId> unknown_;
  /// No token has U+2581 behind another character: what a space separates never merges.
  bool words_are_apart_ = true;
  std::array<std::optional<TokenId>, 256> byte_tokens_;
  std::unordered_map<std::string, TokenId> characters_;
  MergeTable merges_;
};

}  // namespace bitnet
