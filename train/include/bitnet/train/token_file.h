// SPDX-License-Identifier: MIT
// TokenFile: a corpus that was tokenized once, mapped into memory.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>
#include <bitnet/tokenizer.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace bitnet::train {

/// What a corpus is made of, each one of:
///   text file     one document; an empty one makes none
///   folder        its *.txt files, those of subfolders too, ordered by path
///   *.jsonl       a document per line: an object with the string "text", or with the strings
///                 "prompt" and "completion", of which only the completion is learned
///   *.safetensors a token file, made with the same tokenizer
/// What is listed twice counts twice.
using Sources = std::vector<std::filesystem::path>;

/// Documents as token ids, in the order of their sources: BOS where the tokenizer puts one in front
/// of a text, the ids, EOS where the tokenizer has one; a prompt as Tokenizer::encode makes it, the
/// ids of its completion, EOS. Immutable; copies share the mapping and may
/// be read from many threads at once.
///
/// The file is safetensors: `tokens` U16 or U32 [n], `starts` U64 [documents + 1] and, where there
/// are prompts, `is_target` U8 [n]; metadata `vocab_size`, `tokenizer` and `sources`, the last two
/// fingerprints.
class TokenFile {
 public:
  /// Reads all of it once: an object that exists holds no id that is no token. IoError,
  /// FormatError.
  explicit TokenFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return checkpoint_.path(); }
  std::size_t size() const { return size_; }  ///< tokens
  std::size_t documents() const { return starts_.size() - 1; }
  /// Where documents begin, ascending, and size().
  std::span<const std::uint64_t> starts() const { return starts_; }
  std::size_t vocab_size() const { return vocab_size_; }
  bool has_prompts() const { return !is_target_.empty(); }

  TokenId operator[](std::size_t index) const {
    return tokens16_.empty() ? tokens32_[index] : tokens16_[index];
  }
  /// Whether the token is to be predicted; false for those of a prompt.
  bool is_target(std::size_t index) const { return is_target_.empty() || is_target_[index] != 0; }

  /// Of the tokenizer that made it, and of what it was made from.
  const std::string& tokenizer_fingerprint() const { return tokenizer_fingerprint_; }
  const std::string& sources_fingerprint() const { return sources_fingerprint_; }

 private:
  Checkpoint checkpoint_;
  std::size_t size_ = 0;
  std::size_t vocab_size_ = 0;
  std::span<const std::uint16_t> tokens16_;  ///< [size], or
  std::span<const std::uint32_t> tokens32_;  ///< [size]
  std::span<const std::uint64_t> starts_;    ///< [documents + 1]
  std::span<const std::uint8_t> is_target_;  ///< [size], or empty
  std::string tokenizer_fingerprint_;
  std::string sources_fingerprint_;
};

/// Tokenizes all sources on the runtime's threads; the file does not depend on their number. It
/// appears complete or not at all. InvalidArgument when there is no document; FormatError naming
/// file and line; IoError.
void write_token_file(const std::filesystem::path& path, const Tokenizer& tokenizer,
                      const Sources& sources, const Runtime& runtime = Runtime::serial());

/// The token file at `cache`, written first if it is missing, cannot be read, or was made with
/// another tokenizer or from sources whose paths, sizes or times differ. A single token file as
/// source is used as it is.
TokenFile token_file_for(const Sources& sources, const Tokenizer& tokenizer,
                         const std::filesystem::path& cache,
                         const Runtime& runtime = Runtime::serial());

}  // namespace bitnet::train
