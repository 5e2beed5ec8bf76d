// SPDX-License-Identifier: MIT
// TokenizerData: what a tokenizer is, whichever file it comes from (docs/formats/tokenizers.md).
#pragma once

#include <bitnet/tokenizer.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bitnet {

enum class TokenizerModel {
  byte_level_bpe,    // GGUF "gpt2": tokens in the alphabet of byte_alphabet.h, ranked merges
  sentencepiece_bpe  // GGUF "llama": U+2581 for a space, scored tokens, bytes as <0xXX>
};

/// The numbers of GGUF's token_type.
enum class TokenType : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,       // matched in text only where special tokens are asked for
  user_defined = 4,  // matched in text always
  unused = 5,
  byte = 6
};

/// A token that is cut out of the text before anything else, as Hugging Face describes it.
struct AddedToken {
  TokenId id = 0;
  bool special = false;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
  bool operator==(const AddedToken&) const = default;
};

struct TokenizerData {
  TokenizerModel model = TokenizerModel::byte_level_bpe;
  std::vector<std::string> tokens;  // [V], index = id, all different
  std::vector<float> scores;        // [V]; empty for byte-level BPE
  std::vector<TokenType> types;     // [V]
  /// "left right", rank = index. For SentencePiece only those that do not follow from the scores.
  std::vector<std::string> merges;
  std::vector<AddedToken> added;  ///< ascending ids
  std::string pre;                ///< a name of pre_tokenizer_name.h; "default" for SentencePiece
  std::optional<TokenId> bos, eos, eot, eom, unknown, padding;
  /// Absent: the file leaves it to the reader.
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  bool ignore_merges = false;                ///< a piece that is a token needs no merges
  bool nfc = false;                          ///< text is normalized to NFC first
  std::optional<std::string> chat_template;  ///< Jinja
  /// What was wrong in the file and read as meant: one sentence each.
  std::vector<std::string> repairs;
  bool operator==(const TokenizerData&) const = default;
};

/// What the model's own files know about its tokenizer.
struct TokenizerHints {
  /// Rows of the embedding: ids up to there get a filler.
  std::optional<std::size_t> vocab_size = std::nullopt;
  /// Used where the tokenizer's files name none; of eos, its first.
  std::optional<TokenId> bos = std::nullopt;
  std::vector<TokenId> eos = {};
  std::optional<TokenId> padding = std::nullopt;
  /// Not empty: overrides what the files say.
  std::string pre = {};
};

/// Four times the largest published vocabulary.
inline constexpr std::size_t kMaxVocabulary = std::size_t{1} << 20;
/// Llama 3's longest is 128 bytes. Bounds the time of finding all splits.
inline constexpr std::size_t kMaxSplitTokenBytes = 1024;

/// Token to id. Holds views: the tokens must outlive it.
class TokenIndex {
 public:
  /// FormatError naming `where` when two tokens are the same.
  TokenIndex(const std::vector<std::string>& tokens, const std::string& where);
  std::optional<TokenId> find(std::string_view token) const;

 private:
  std::unordered_map<std::string_view, TokenId> ids_;  // [V]
};

/// Appends unused tokens [PADi] up to `size`.
void fill_vocabulary(TokenizerData& data, std::size_t size);
/// Whether `token` is the filler that fill_vocabulary gives this id.
bool is_filler(std::string_view token, TokenId id);

/// "<0xXX>", two hexadecimal digits: how SentencePiece spells a byte.
bool is_byte_token(std::string_view token);

/// `data.added` from its token types: where a file has no flags.
void added_tokens_from_types(TokenizerData& data);

/// Sets eot and eom, where absent, to the control tokens that published models end turns with.
/// Returns whether eot was set.
bool guess_turn_ends(TokenizerData& data);

/// Whether BOS goes in front of a text: as the file says, else as the model families do.
bool adds_bos(const TokenizerData& data);

/// Checks what every reader promises: lengths agree, tokens are UTF-8 and all different, merges
/// name tokens, ids are tokens. FormatError with `where`.
void check_tokenizer(const TokenizerData& data, const std::string& where);

}  // namespace bitnet
