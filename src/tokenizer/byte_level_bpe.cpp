// SPDX-License-Identifier: MIT
#include "tokenizer/byte_level_bpe.h"

#include <bitnet/error.h>

#include <cstdint>
#include <utility>

#include "base/message.h"
#include "formats/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/code_points.h"
#include "tokenizer/nfc.h"
#include "tokenizer/pre_tokenizer_name.h"

namespace bitnet {
namespace {

constexpr TokenId kNoToken = ~TokenId{0};

PatternSplitter splitter_of(const TokenizerData& data) {
  const PreTokenizer* const known = find_pre_tokenizer(data.pre);
  if (known == nullptr) {
    throw UnsupportedError(message("pre-tokenizer: expected one of ", pre_tokenizer_names(),
                                   ", found '", data.pre, "'"));
  }
  return PatternSplitter(known->patterns);
}

std::string hexadecimal(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'0', 'x', kDigits[byte >> 4], kDigits[byte & 0xf]};
}

}  // namespace

/// What one call of encode() needs.
class ByteLevelBpe::PieceEncoder {
 public:
  PieceEncoder(const ByteLevelBpe& model, std::vector<TokenId>& ids)
      : model_(model), merger_(model.merges_), ids_(ids) {}

  void encode(std::string_view piece) {
    if (const auto whole = model_.whole_tokens_.find(piece)) {
      ids_.push_back(*whole);
      return;
    }
    model_.to_byte_tokens(piece, symbols_);
    merger_.merge(symbols_);
    ids_.insert(ids_.end(), symbols_.begin(), symbols_.end());
  }

 private:
  const ByteLevelBpe& model_;
  SymbolMerger merger_;
  std::vector<TokenId>& ids_;
  std::vector<TokenId> symbols_;
};

ByteLevelBpe::ByteLevelBpe(const TokenizerData& data, const TokenIndex& index,
                           const TokenBytes& bytes)
    : splitter_(splitter_of(data)),
      nfc_(data.nfc),
      add_space_prefix_(data.add_space_prefix.value_or(false)),
      merges_(data.merges.size()),
      whole_tokens_(bytes, data.tokens.size()) {
  read_merges(data, index);
  find_whole_tokens(data, bytes);
}

void ByteLevelBpe::read_merges(const TokenizerData& data, const TokenIndex& index) {
  for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
    const std::string letter = to_byte_alphabet(std::string(1, static_cast<char>(byte)));
    byte_tokens_[byte] = index.find(letter).value_or(kNoToken);
  }
  for (std::size_t rank = 0; rank < data.merges.size(); ++rank) {
    const std::string_view merge = data.merges[rank];
    const std::size_t space = merge.find(' ');
    std::string result(merge);
    result.erase(space, 1);
    // check_tokenizer has seen all three.
    merges_.add(*index.find(merge.substr(0, space)), *index.find(merge.substr(space + 1)),
                {static_cast<std::uint32_t>(rank), *index.find(result)});
  }
}

void ByteLevelBpe::find_whole_tokens(const TokenizerData& data, const TokenBytes& bytes) {
  SymbolMerger merger(merges_);
  std::vector<TokenId> symbols;
  const auto leads_to_itself = [&](TokenId id) {
    for (const char byte : bytes[id]) {
      if (byte_tokens_[static_cast<unsigned char>(byte)] == kNoToken) {
        return false;
      }
    }
    to_byte_tokens(bytes[id], symbols);
    merger.merge(symbols);
    return symbols.size() == 1 && symbols[0] == id;
  };
  for (std::size_t i = 0; i < data.tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const bool is_in_alphabet = to_byte_alphabet(bytes[id]) == data.tokens[id];
    if (data.types[id] == TokenType::normal && is_in_alphabet &&
        (data.ignore_merges || leads_to_itself(id))) {
      whole_tokens_.add(id);
    }
  }
}

void ByteLevelBpe::to_byte_tokens(std::string_view piece, std::vector<TokenId>& symbols) const {
  symbols.clear();
  for (const char c : piece) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte_tokens_[byte] == kNoToken) {
      throw InvalidArgument(message("text: expected bytes that the vocabulary has tokens for, ",
                                    "found ", hexadecimal(byte)));
    }
    symbols.push_back(byte_tokens_[byte]);
  }
}

std::optional<std::string> ByteLevelBpe::normalized(std::string_view text) const {
  if (!nfc_) {
    return std::nullopt;
  }
  std::string composed;
  for_each_utf8_run(
      text, [&](std::string_view run) { composed += to_nfc(run); },
      [&](std::string_view bytes) { composed += bytes; });
  return composed;
}

void ByteLevelBpe::encode(std::string_view text, std::vector<TokenId>& ids) const {
  std::string prefixed;
  if (add_space_prefix_ && !text.starts_with(' ')) {
    prefixed.push_back(' ');
    prefixed += text;
    text = prefixed;
  }
  PieceEncoder encoder(*this, ids);
  const PatternSplitter::Sink encode_piece = [&](std::string_view piece) { encoder.encode(piece); };
  const auto encode_text = [&](std::string_view run) { splitter_.split(run, encode_piece); };
  if (is_utf8(text)) {
    encode_text(text);
  } else {
    for_each_utf8_run(text, encode_text, encode_piece);
  }
}

}  // namespace bitnet
