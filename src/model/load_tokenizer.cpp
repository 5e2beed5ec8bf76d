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
#include "tokenizer/gguf_tokenizer.h"
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
  auto data = read_gguf_tokenizer(checkpoint.metadata());
  if (!data) {
    return std::nullopt;
  }
  if (!pre.empty()) {
    data->pre = pre;
  }
  return Tokenizer(*std::move(data));
}

std::string text_of(const std::filesystem::path& file) {
  std::error_code ignored;  // what cannot be looked at is no file of ours
  if (!std::filesystem::exists(file, ignored)) {
    return {};
  }
  const MappedFile mapped(file);
  return {reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()};
}

std::optional<TokenId> to_token_id(const std::optional<std::uint64_t>& id) {
  return id ? std::optional(static_cast<TokenId>(*id)) : std::nullopt;
}

/// The folder's config files; the tokenizer is of use without them, too.
TokenizerHints read_hints(const std::filesystem::path& folder) {
  TokenizerHints hints;
  std::vector<std::uint64_t> ends;
  if (const std::string config_json = text_of(folder / "config.json"); !config_json.empty()) {
    const ModelConfig config = parse_model_config(config_json);
    hints.vocab_size = config.vocab_size;
    hints.bos = to_token_id(config.bos_token_id);
    hints.padding = to_token_id(config.pad_token_id);
    ends = config.eos_token_ids;
  }
  if (const std::string json = text_of(folder / "generation_config.json"); !json.empty()) {
    // It may name more ends than config.json: that of a text and that of a turn.
    const std::vector<std::uint64_t> all_ends = parse_generation_ends(json);
    ends = all_ends.empty() ? ends : all_ends;
  }
  hints.eos.assign(ends.begin(), ends.end());
  return hints;
}

std::optional<Tokenizer> find_in_folder(const std::filesystem::path& folder,
                                        const std::string& pre) {
  TokenizerHints hints = read_hints(folder);
  hints.pre = pre;
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
