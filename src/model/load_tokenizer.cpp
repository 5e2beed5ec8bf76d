// SPDX-License-Identifier: MIT
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>

#include <algorithm>
#include <utility>

#include "base/mapped_file.h"
#include "base/message.h"
#include "model/model_config.h"
#include "model/model_source.h"
#include "model/model_tokenizer.h"
#include "tokenizer/tokenizer_folder.h"

namespace bitnet {
namespace {

Tokenizer require(std::optional<Tokenizer> tokenizer, const std::filesystem::path& path) {
  if (!tokenizer) {
    throw FormatError(message(path.string(), ": expected a tokenizer, found none"));
  }
  return *std::move(tokenizer);
}

/// The key-values alone: the file need not be a whole model, nor one that we know.
std::optional<Tokenizer> find_in_gguf(const Checkpoint& checkpoint, const std::string& pre) {
  auto data = read_gguf_tokenizer(checkpoint, pre);
  return data ? std::optional(Tokenizer(*std::move(data))) : std::nullopt;
}

/// From the folder's config files; the tokenizer is of use without them, too.
TokenizerHints read_hints(const std::filesystem::path& folder, const std::string& pre) {
  TokenizerHints hints;
  hints.pre = pre;
  ModelConfig config;
  if (const std::string text = read_file_if_any(folder / "config.json"); !text.empty()) {
    config = parse_model_config(text);
    hints = tokenizer_hints(config, pre);
  }
  const std::vector<std::uint64_t> ends =
      end_tokens(config, read_file_if_any(folder / "generation_config.json"));
  hints.eos.assign(ends.begin(), ends.end());
  return hints;
}

std::optional<Tokenizer> find_in_folder(const std::filesystem::path& folder,
                                        const std::string& pre) {
  TokenizerHints hints = read_hints(folder, pre);
  auto data = read_tokenizer(folder, hints);
  if (!data) {
    return std::nullopt;
  }
  // An end beyond the vocabulary is never generated.
  std::erase_if(hints.eos, [&](TokenId id) { return id >= data->tokens.size(); });
  return Tokenizer(*std::move(data), hints.eos);
}

}  // namespace

std::optional<Tokenizer> find_tokenizer(const Checkpoint& checkpoint, const std::string& pre) {
  return checkpoint.format() == Checkpoint::Format::gguf
             ? find_in_gguf(checkpoint, pre)
             : find_in_folder(checkpoint_folder(checkpoint), pre);
}

Tokenizer load_tokenizer(const Checkpoint& checkpoint, const std::string& pre) {
  return require(find_tokenizer(checkpoint, pre), checkpoint.path());
}

Tokenizer load_tokenizer(const std::filesystem::path& model, const std::string& pre) {
  std::error_code ignored;  // open_checkpoint says what is wrong with the path
  return std::filesystem::is_directory(model, ignored)
             ? require(find_in_folder(model, pre), model)
             : load_tokenizer(open_checkpoint(model), pre);
}

}  // namespace bitnet
