// SPDX-License-Identifier: MIT
#include "model/model_tokenizer.h"

#include <bitnet/error.h>

#include "base/message.h"
#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer/tokenizer_folder.h"

namespace bitnet {
namespace {

std::optional<TokenId> to_token_id(const std::optional<std::uint64_t>& id) {
  return id ? std::optional(static_cast<TokenId>(*id)) : std::nullopt;
}

}  // namespace

TokenizerHints tokenizer_hints(const ModelConfig& config, const std::string& pre) {
  TokenizerHints hints;
  hints.vocab_size = config.vocab_size;
  hints.bos = to_token_id(config.bos_token_id);
  hints.eos.assign(config.eos_token_ids.begin(), config.eos_token_ids.end());
  hints.padding = to_token_id(config.pad_token_id);
  hints.pre = pre;
  return hints;
}

std::optional<TokenizerData> read_gguf_tokenizer(const Checkpoint& checkpoint,
                                                 const std::string& pre) {
  std::optional<TokenizerData> tokenizer = read_gguf_tokenizer(checkpoint.metadata());
  if (tokenizer && !pre.empty()) {
    tokenizer->pre = pre;
  }
  return tokenizer;
}

std::optional<TokenizerData> read_model_tokenizer(const ModelSource& source,
                                                  const std::string& pre) {
  const Checkpoint& checkpoint = source.checkpoint();
  std::optional<TokenizerData> tokenizer =
      checkpoint.format() == Checkpoint::Format::gguf
          ? read_gguf_tokenizer(checkpoint, pre)
          : read_tokenizer(checkpoint_folder(checkpoint), tokenizer_hints(source.config(), pre));
  if (tokenizer && tokenizer->tokens.size() > source.config().vocab_size) {
    throw FormatError(message(source.checkpoint().path().string(), ": expected a tokenizer of at ",
                              "most ", source.config().vocab_size, " tokens, as the embedding has ",
                              "rows, found ", tokenizer->tokens.size()));
  }
  return tokenizer;
}

}  // namespace bitnet
