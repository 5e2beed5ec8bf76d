// SPDX-License-Identifier: MIT
#include <bitnet/error.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/message.h"
#include "tokenizer/hugging_face_tokenizer.h"
#include "tokenizer/pre_tokenizer_name.h"
#include "tokenizer/token_splits.h"

namespace bitnet {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSpace = "\u2581";
constexpr int kIndent = 2;

bool is_sentencepiece(const TokenizerData& data) {
  return data.model == TokenizerModel::sentencepiece_bpe;
}

Json added_tokens(const TokenizerData& data) {
  Json list = Json::array();
  for (const AddedToken& added : data.added) {
    list.push_back({{"id", added.id},
                    {"content", data.tokens[added.id]},
                    {"single_word", added.single_word},
                    {"lstrip", added.lstrip},
                    {"rstrip", added.rstrip},
                    {"normalized", added.normalized},
                    {"special", added.special}});
  }
  return list;
}

Json normalizer(const TokenizerData& data) {
  if (!is_sentencepiece(data)) {
    return data.nfc ? Json({{"type", "NFC"}}) : Json(nullptr);
  }
  Json list = Json::array();
  if (data.add_space_prefix.value_or(true)) {
    list.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
  }
  list.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}});
  return {{"type", "Sequence"}, {"normalizers", list}};
}

Json byte_level(bool add_prefix_space) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", false}};
}

Json pre_tokenizer(const TokenizerData& data) {
  if (is_sentencepiece(data)) {
    return nullptr;
  }
  const PreTokenizer* const known = find_pre_tokenizer(data.pre);
  if (known == nullptr) {
    throw UnsupportedError(
        message("tokenizer.json: the patterns of the pre-tokenizer '", data.pre, "' are unknown"));
  }
  Json list = Json::array();
  for (const std::string_view pattern : known->patterns) {
    list.push_back({{"type", "Split"},
                    {"pattern", {{"Regex", pattern}}},
                    {"behavior", "Isolated"},
                    {"invert", false}});
  }
  list.push_back(byte_level(data.add_space_prefix.value_or(false)));
  return {{"type", "Sequence"}, {"pretokenizers", list}};
}

Json decoder(const TokenizerData& data) {
  if (!is_sentencepiece(data)) {
    Json result = byte_level(true);
    result["use_regex"] = true;
    return result;
  }
  Json list = Json::array();
  list.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}});
  list.push_back({{"type", "ByteFallback"}});
  list.push_back({{"type", "Fuse"}});
  if (data.add_space_prefix.value_or(true)) {
    list.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return {{"type", "Sequence"}, {"decoders", list}};
}

/// TemplateProcessing with BOS in front of each text and EOS behind it, as asked for.
Json post_processor(const TokenizerData& data) {
  const bool starts = data.add_bos.value_or(false) && data.bos;
  const bool ends = data.add_eos.value_or(false) && data.eos;
  if (!starts && !ends) {
    return nullptr;
  }
  Json special_tokens = Json::object();
  const auto special = [&](TokenId id, int type_id) -> Json {
    const std::string& token = data.tokens[id];
    special_tokens[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    return {{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
  };
  Json single = Json::array();
  Json pair = Json::array();
  for (int type_id = 0; type_id < 2; ++type_id) {
    Json text = Json::array();
    if (starts) {
      text.push_back(special(*data.bos, type_id));
    }
    text.push_back({{"Sequence", {{"id", type_id == 0 ? "A" : "B"}, {"type_id", type_id}}}});
    if (ends) {
      text.push_back(special(*data.eos, type_id));
    }
    pair.insert(pair.end(), text.begin(), text.end());
    if (type_id == 0) {
      single = std::move(text);
    }
  }
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", special_tokens}};
}

/// Tokens that only the list of added tokens has are left out, as are fillers.
Json vocab(const TokenizerData& data) {
  Json result = Json::object();
  auto& entries = result.get_ref<Json::object_t&>();
  const bool keeps_added = is_sentencepiece(data);
  std::size_t next_added = 0;
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const bool is_added = next_added < data.added.size() && data.added[next_added].id == id;
    next_added += is_added ? 1 : 0;
    const bool is_gap =
        data.types[id] == TokenType::unused && is_filler(data.tokens[id], static_cast<TokenId>(id));
    if ((!is_added || keeps_added) && !is_gap) {
      // The ids are the order; operator[] would search all keys each time.
      entries.emplace_back(data.tokens[id], id);
    }
  }
  return result;
}

Json model(const TokenizerData& data) {
  const bool derives_merges = is_sentencepiece(data) && data.merges.empty();
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", data.unknown ? Json(data.tokens[*data.unknown]) : Json(nullptr)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", is_sentencepiece(data)},
          {"byte_fallback", is_sentencepiece(data)},
          {"ignore_merges", data.ignore_merges},
          {"vocab", vocab(data)},
          {"merges", derives_merges ? merges_of_scores(data, "tokenizer.json") : data.merges}};
}

Json tokenizer_config(const TokenizerData& data) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false}};
  const std::vector<std::pair<const char*, std::optional<TokenId>>> roles = {
      {"bos_token", data.bos}, {"eos_token", data.eos},     {"eot_token", data.eot},
      {"eom_token", data.eom}, {"unk_token", data.unknown}, {"pad_token", data.padding}};
  for (const auto& [key, id] : roles) {
    if (id) {
      config[key] = data.tokens[*id];
    }
  }
  if (data.add_bos) {
    config["add_bos_token"] = *data.add_bos;
  }
  if (data.add_eos) {
    config["add_eos_token"] = *data.add_eos;
  }
  if (data.chat_template) {
    config["chat_template"] = *data.chat_template;
  }
  return config;
}

}  // namespace

HuggingFaceTexts write_hugging_face(const TokenizerData& data) {
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", added_tokens(data)},
                          {"normalizer", normalizer(data)},
                          {"pre_tokenizer", pre_tokenizer(data)},
                          {"post_processor", post_processor(data)},
                          {"decoder", decoder(data)},
                          {"model", model(data)}};
  HuggingFaceTexts texts;
  texts.tokenizer_json = tokenizer.dump(kIndent) + '\n';
  texts.tokenizer_config_json = tokenizer_config(data).dump(kIndent) + '\n';
  return texts;
}

}  // namespace bitnet
