// SPDX-License-Identifier: MIT
// Byte-level BPE: patterns cut the text, ranked merges join the bytes of each piece.
#pragma once

#include <array>

#include "tokenizer/merge_table.h"
#include "tokenizer/pattern_splitter.h"
#include "tokenizer/subword_model.h"
#include "tokenizer/token_table.h"

namespace bitnet {

class ByteLevelBpe : public SubwordModel {
 public:
  /// `bytes` must outlive the model; `index` is that of data.tokens. UnsupportedError for a
  /// pre-tokenizer that is not known or not built in.
  ByteLevelBpe(const TokenizerData& data, const TokenIndex& index, const TokenBytes& bytes);

  /// NFC where the model asks for it; bytes that are no UTF-8 stay.
  std::optional<std::string> normalized(std::string_view text) const override;
  /// Whole runs of UTF-8 are cut by the patterns, each as if it stood alone; a run of other bytes
  /// is one piece.
  void encode(std::string_view normalized, std::vector<TokenId>& ids) const override;

 private:
  class PieceEncoder;
  void read_merges(const TokenizerData& data, const TokenIndex& index);
  void find_whole_tokens(const TokenizerData& data, const TokenBytes& bytes);
  void to_byte_tokens(std::string_view piece, std::vector<TokenId>& symbols) const;

  PatternSplitter splitter_;
  bool nfc_;
  bool add_space_prefix_;
  std::array<TokenId, 256> byte_tokens_;
  MergeTable merges_;
  /// Tokens that their own bytes encode to, found without merging: all under ignore_merges, else
  /// those that the merges lead to.
  TokenTable whole_tokens_;
};

}  // namespace bitnet
