// SPDX-License-Identifier: MIT
#include "tokenizer/gguf_tokenizer.h"

#include <bitnet/error.h>

#include <algorithm>
#include <utility>

#include "base/message.h"
#include "tokenizer/chat_templates.h"
#include "tokenizer/pre_tokenizer_name.h"

namespace bitnet {
namespace {

constexpr const char* kModelKey = "tokenizer.ggml.model";
constexpr const char* kPreKey = "tokenizer.ggml.pre";
constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kScoresKey = "tokenizer.ggml.scores";
constexpr const char* kTypesKey = "tokenizer.ggml.token_type";
constexpr const char* kMergesKey = "tokenizer.ggml.merges";
constexpr const char* kChatTemplateKey = "tokenizer.chat_template";

struct IdKey {
  const char* key;
  std::optional<TokenId> TokenizerData::*id;
};
constexpr IdKey kIdKeys[] = {{"tokenizer.ggml.bos_token_id", &TokenizerData::bos},
                             {"tokenizer.ggml.eos_token_id", &TokenizerData::eos},
                             {"tokenizer.ggml.eot_token_id", &TokenizerData::eot},
                             {"tokenizer.ggml.eom_token_id", &TokenizerData::eom},
                             {"tokenizer.ggml.unknown_token_id", &TokenizerData::unknown},
                             {"tokenizer.ggml.padding_token_id", &TokenizerData::padding}};

struct FlagKey {
  const char* key;
  std::optional<bool> TokenizerData::*flag;
};
constexpr FlagKey kFlagKeys[] = {
    {"tokenizer.ggml.add_bos_token", &TokenizerData::add_bos},
    {"tokenizer.ggml.add_eos_token", &TokenizerData::add_eos},
    {"tokenizer.ggml.add_space_prefix", &TokenizerData::add_space_prefix}};

class MetadataReader {
 public:
  explicit MetadataReader(const std::map<std::string, MetadataValue>& metadata)
      : metadata_(metadata) {}

  [[noreturn]] static void fail(const std::string& key, const std::string& expected,
                                const std::string& found) {
    throw FormatError(message("GGUF key ", key, ": expected ", expected, ", found ", found));
  }

  /// nullptr when the key is absent.
  template <class T>
  const T* find(const char* key, const char* expected) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) {
      return nullptr;
    }
    const T* const value = std::get_if<T>(&found->second);
    if (value == nullptr) {
      fail(key, expected, "a value of another type");
    }
    return value;
  }

  template <class T>
  const T& at(const char* key, const char* expected) const {
    const T* const value = find<T>(key, expected);
    if (value == nullptr) {
      fail(key, expected, "no such key");
    }
    return *value;
  }

 private:
  const std::map<std::string, MetadataValue>& metadata_;
};

std::vector<TokenType> read_types(const MetadataReader& metadata, std::size_t count) {
  const auto* const numbers =
      metadata.find<std::vector<std::int64_t>>(kTypesKey, "an array of integers");
  std::vector<TokenType> types(count, TokenType::normal);
  if (numbers == nullptr) {
    return types;
  }
  if (numbers->size() != count) {
    MetadataReader::fail(kTypesKey, message(count, " token types"), message(numbers->size()));
  }
  for (std::size_t id = 0; id < count; ++id) {
    const std::int64_t number = (*numbers)[id];
    // 0 is llama.cpp's "undefined", which it treats as normal.
    if (number < 0 || number > static_cast<std::int64_t>(TokenType::byte)) {
      MetadataReader::fail(kTypesKey, "token types from 1 to 6",
                           message(number, " for token ", id));
    }
    types[id] = number == 0 ? TokenType::normal : static_cast<TokenType>(number);
  }
  return types;
}

void read_scores(const MetadataReader& metadata, TokenizerData& data) {
  if (data.model == TokenizerModel::byte_level_bpe) {
    return;  // zeros, where a file has any
  }
  const auto& scores = metadata.at<std::vector<double>>(kScoresKey, "an array of floats");
  if (scores.size() != data.tokens.size()) {
    MetadataReader::fail(kScoresKey, message(data.tokens.size(), " scores"),
                         message(scores.size()));
  }
  data.scores.assign(scores.begin(), scores.end());
}

/// An id beyond the vocabulary is how some converters say that there is none.
void read_ids(const MetadataReader& metadata, TokenizerData& data) {
  for (const auto& [key, member] : kIdKeys) {
    const auto* const id = metadata.find<std::uint64_t>(key, "an unsigned integer");
    if (id == nullptr) {
      continue;
    }
    if (*id >= data.tokens.size()) {
      data.repairs.push_back(
          message("ignored ", key, " ", *id, " beyond ", data.tokens.size(), " tokens"));
    } else {
      data.*member = static_cast<TokenId>(*id);
    }
  }
}

bool has_llama3_vocabulary(const TokenizerData& data) {
  constexpr std::size_t kVocabulary = 128256;
  constexpr std::size_t kBos = 128000;
  return data.tokens.size() == kVocabulary && data.tokens[kBos] == "<|begin_of_text|>";
}

void repair_pre(TokenizerData& data) {
  if (data.pre == "falcon_e") {
    data.pre = "falcon-h1";
    data.repairs.push_back(message(kPreKey, " falcon_e is falcon-h1 to other programs"));
  } else if (data.pre.empty() && data.model == TokenizerModel::byte_level_bpe &&
             has_llama3_vocabulary(data)) {
    data.pre = "llama-bpe";
    data.repairs.push_back(message(kPreKey, " is missing: took llama-bpe by the vocabulary"));
  } else if (data.pre.empty()) {
    data.pre = "default";
  }
}

}  // namespace

std::optional<TokenizerData> read_gguf_tokenizer(
    const std::map<std::string, MetadataValue>& key_values) {
  const MetadataReader metadata(key_values);
  const auto* const model = metadata.find<std::string>(kModelKey, "a string");
  if (model == nullptr || *model == "no_vocab" || *model == "none") {
    return std::nullopt;
  }
  if (*model != "gpt2" && *model != "llama") {
    throw UnsupportedError(
        message("GGUF key ", kModelKey, ": expected gpt2 or llama, found ", *model));
  }
  TokenizerData data;
  data.model =
      *model == "gpt2" ? TokenizerModel::byte_level_bpe : TokenizerModel::sentencepiece_bpe;
  data.tokens = metadata.at<std::vector<std::string>>(kTokensKey, "an array of strings");
  data.types = read_types(metadata, data.tokens.size());
  read_scores(metadata, data);
  using Strings = std::vector<std::string>;
  if (data.model == TokenizerModel::byte_level_bpe) {
    data.merges = metadata.at<Strings>(kMergesKey, "an array of strings");
  } else if (const auto* const merges = metadata.find<Strings>(kMergesKey, "an array of strings")) {
    data.merges = *merges;
  }
  read_ids(metadata, data);
  for (const auto& [key, member] : kFlagKeys) {
    if (const bool* const flag = metadata.find<bool>(key, "true or false")) {
      data.*member = *flag;
    }
  }
  if (const auto* const text = metadata.find<std::string>(kChatTemplateKey, "a string")) {
    data.chat_template = *text;
  }
  if (const auto* const pre = metadata.find<std::string>(kPreKey, "a string")) {
    data.pre = *pre;
  }
  check_tokenizer(data, "GGUF tokenizer");
  repair_pre(data);
  if (data.chat_template && is_mistaken_bitnet_template(*data.chat_template)) {
    data.chat_template = bitnet_chat_template();
    data.repairs.push_back(message(kChatTemplateKey, " is not the model's: took the model's own"));
  }
  if (guess_turn_ends(data)) {
    data.repairs.push_back(message("tokenizer.ggml.eot_token_id is missing: took ", *data.eot, " '",
                                   data.tokens[*data.eot], "' by its text"));
  }
  const PreTokenizer* const known = find_pre_tokenizer(data.pre);
  data.ignore_merges =
      data.model == TokenizerModel::byte_level_bpe && known != nullptr && known->ignore_merges;
  data.nfc = data.pre == "qwen2";
  data.add_bos = adds_bos(data);
  added_tokens_from_types(data);
  return data;
}

std::vector<GgufKeyValue> write_gguf_tokenizer(const TokenizerData& data) {
  const bool is_sentencepiece = data.model == TokenizerModel::sentencepiece_bpe;
  std::vector<GgufKeyValue> result;
  const auto add = [&](const char* key, GgufValue value) {
    result.push_back({key, std::move(value)});
  };
  add(kModelKey, std::string(is_sentencepiece ? "llama" : "gpt2"));
  add(kPreKey, data.pre);
  add(kTokensKey, data.tokens);
  if (is_sentencepiece) {
    add(kScoresKey, data.scores);
  }
  std::vector<std::int32_t> types(data.types.size());
  std::ranges::transform(data.types, types.begin(),
                         [](TokenType type) { return static_cast<std::int32_t>(type); });
  add(kTypesKey, std::move(types));
  if (!is_sentencepiece || !data.merges.empty()) {
    add(kMergesKey, data.merges);
  }
  for (const auto& [key, member] : kIdKeys) {
    if (data.*member) {
      add(key, *(data.*member));
    }
  }
  // Readers' defaults differ: what is true or false here is said.
  add("tokenizer.ggml.add_bos_token", adds_bos(data));
  if (data.add_eos) {
    add("tokenizer.ggml.add_eos_token", *data.add_eos);
  }
  if (is_sentencepiece || data.add_space_prefix.value_or(false)) {
    add("tokenizer.ggml.add_space_prefix", data.add_space_prefix.value_or(true));
  }
  if (data.chat_template) {
    add(kChatTemplateKey, *data.chat_template);
  }
  return result;
}

std::vector<GgufKeyValue> gguf_without_tokenizer() {
  return {{kModelKey, std::string("no_vocab")}};
}

}  // namespace bitnet
