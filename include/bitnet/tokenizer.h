// SPDX-License-Identifier: MIT
// Tokenizer: text to token ids and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

class Checkpoint;
struct TokenizerData;  // private: what a tokenizer is, read from a file

using TokenId = std::uint32_t;

struct EncodeOptions {
  bool add_special = true;     ///< BOS in front and EOS behind, where the model's rules say so
  bool parse_special = false;  ///< text of control tokens ("<|eot_id|>") becomes the token
};

/// Part of a text. That of a chat template may name control tokens, that of a user may not.
struct TextSegment {
  std::string text;
  bool parse_special = false;  ///< as in EncodeOptions
};

/// Immutable; copies share everything and may be used from many threads at once.
class Tokenizer {
 public:
  /// `further_ends` are ids that end generation beside those that the data names. UnsupportedError
  /// for a pre-tokenizer that is not known, or whose patterns need PCRE2 in a build without;
  /// InvalidArgument for an end that is no token.
  explicit Tokenizer(TokenizerData data, std::span<const TokenId> further_ends = {});

  /// Bytes that are no UTF-8 are encoded, too: they come back from decode() as they were.
  /// InvalidArgument for a byte or character that the vocabulary has no token for, and for 4 GiB
  /// and more.
  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// The same of the segments' joined text: words may reach from one into the next, but control
  /// tokens are read only where segments with parse_special spell them alone.
  std::vector<TokenId> encode(std::span<const TextSegment> segments, bool add_special = true) const;

  /// The bytes that ids stand for; control, unknown and unused tokens are left out unless
  /// `special`. The space that a SentencePiece model puts in front of a text is taken away where
  /// the result would begin with it. InvalidArgument for an id that is no token.
  std::string decode(std::span<const TokenId> ids, bool special = false) const;

  /// What one token adds to a text, be it special or not. InvalidArgument for an id that is no
  /// token.
  std::string token_bytes(TokenId id) const;

  /// Ids are 0 .. vocab_size() - 1.
  std::size_t vocab_size() const;
  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  /// End of a turn, as <|eot_id|>.
  std::optional<TokenId> eot() const;
  bool adds_bos() const;
  /// Whether generation ends here: eos, end of turn, end of message, and further ends.
  bool is_end_of_generation(TokenId id) const;
  /// A control token, an unknown or an unused one. InvalidArgument for an id that is no token.
  bool is_special(TokenId id) const;
  /// By the spelling in the model's files: "<|eot_id|>", "\u0120the".
  std::optional<TokenId> find(std::string_view token) const;
  /// Jinja, as the file has it; nullptr when it has none. ChatTemplate::recognize reads it.
  const std::string* chat_template() const;

 private:
  friend class Detokenizer;
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

/// Text of a growing list of tokens. Characters are never split: what add() returns ends where a
/// character ends. All that add() and flush() return, joined, is what decode() of the whole list
/// returns; bytes that are no UTF-8 come out as they are, once they cannot become a character.
class Detokenizer {
 public:
  explicit Detokenizer(Tokenizer tokenizer, bool special = false);
  /// InvalidArgument for an id that is no token.
  std::string add(TokenId id);
  /// What is left of a character that was never completed. The next add() begins a new text.
  std::string flush();

 private:
  Tokenizer tokenizer_;
  bool special_;
  bool at_start_ = true;
  std::string pending_;  ///< the beginning of a character
};

/// The tokenizer of a model, from the key-values of a GGUF file or from the files of a Hugging
/// Face folder. `pre` overrides the name of the pre-tokenizer, unless it is empty. FormatError when
/// there is none or it is malformed, UnsupportedError for kinds that are not known, IoError.
Tokenizer load_tokenizer(const Checkpoint& checkpoint, const std::string& pre = "");

/// The same of a file or folder; a folder need not hold weights.
Tokenizer load_tokenizer(const std::filesystem::path& model, const std::string& pre = "");

/// nullopt instead of an error when there is none.
std::optional<Tokenizer> find_tokenizer(const Checkpoint& checkpoint, const std::string& pre = "");

}  // namespace bitnet
