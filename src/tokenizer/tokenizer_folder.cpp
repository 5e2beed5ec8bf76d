// SPDX-License-Identifier: MIT
#include "tokenizer/tokenizer_folder.h"

#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "base/mapped_file.h"
#include "tokenizer/hugging_face_tokenizer.h"
#include "tokenizer/sentencepiece_model.h"
#include "tokenizer/tiktoken_file.h"
#include "tokenizer/token_splits.h"

namespace bitnet {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;  // what cannot be looked at is no file of ours
  return std::filesystem::exists(file, ignored);
}

TokenizerData read_tokenizer_model(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  const std::string_view text = as_text(mapped.bytes());
  return looks_like_tiktoken(text) ? read_tiktoken(text, file)
                                   : read_sentencepiece(mapped.bytes(), file);
}

}  // namespace

std::optional<TokenizerData> read_tokenizer(const std::filesystem::path& folder,
                                            const TokenizerHints& hints) {
  HuggingFaceTexts texts;
  texts.tokenizer_config_json = read_file_if_any(folder / "tokenizer_config.json");
  texts.special_tokens_map_json = read_file_if_any(folder / "special_tokens_map.json");
  texts.added_tokens_json = read_file_if_any(folder / "added_tokens.json");
  texts.chat_template = read_file_if_any(folder / "chat_template.jinja");
  if (is_there(folder / "tokenizer.json")) {
    texts.tokenizer_json = read_file_if_any(folder / "tokenizer.json");
    return read_hugging_face(texts, folder, hints);
  }
  if (!is_there(folder / "tokenizer.model")) {
    return std::nullopt;
  }
  TokenizerData data = read_tokenizer_model(folder / "tokenizer.model");
  std::vector<float> scores = std::exchange(data.scores, {});
  read_tokenizer_config(texts, folder, hints, data);
  if (data.model == TokenizerModel::sentencepiece_bpe) {
    data.scores = std::move(scores);
    score_appended_tokens(data);
  }
  if (!hints.pre.empty()) {
    data.pre = hints.pre;
  }
  return data;
}

}  // namespace bitnet
