// SPDX-License-Identifier: MIT
// A vocabulary from texts: SentencePiece's BPE, as a Hugging Face folder's files.
#pragma once

#include <bitnet/train/token_file.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace bitnet::train {

/// Ids are 0 <unk>, 1 <s>, 2 </s>, 3 <pad>, then the 256 bytes, then pieces. Digits are single
/// tokens; a piece never reaches across a line's end, and has spaces only in front.
struct TokenizerTraining {
  std::size_t vocab_size = 4096;
  /// Share of the texts' characters that get a token of their own; the rest is spelled in bytes.
  double character_coverage = 0.9995;
  /// Larger texts are sampled line by line: memory is ten to twenty times this.
  std::size_t max_bytes = std::size_t{64} << 20;
  std::uint64_t seed = 0;  ///< of the sample
};

/// Writes tokenizer.json and tokenizer_config.json, which load_tokenizer reads, into the folder,
/// which is made if need be. Sources are those of a TokenFile, but no token files. The same sources
/// and options give the same files. Every text comes back from its ids, but for U+2581, which comes
/// back as the space that it stands for. InvalidArgument for a vocabulary that the texts cannot
/// fill or that does not hold their characters.
void train_tokenizer(const Sources& sources, const TokenizerTraining& options,
                     const std::filesystem::path& output_folder);

}  // namespace bitnet::train
