// SPDX-License-Identifier: MIT
// What stands beside a vocabulary: tokenizer_config.json, special_tokens_map.json,
// added_tokens.json, chat_template.jinja.
#include <bitnet/error.h>

#include <algorithm>
#include <utility>

#include "base/message.h"
#include "tokenizer/hugging_face_tokenizer.h"
#include "tokenizer/strict_json.h"

namespace bitnet {
namespace {

std::optional<JsonValue> parse_object(const std::string& text, const std::filesystem::path& file) {
  if (text.empty()) {
    return std::nullopt;
  }
  const JsonValue root = JsonValue::parse(text, file);
  if (!root.is_object()) {
    root.fail("an object");
  }
  return root;
}

/// Appends a token with the next id; one that the vocabulary has already must agree.
void add_token(const JsonValue& where, std::size_t id, const std::string& token, bool special,
               const TokenizerHints& hints, TokenizerData& data) {
  if (id < data.tokens.size()) {
    if (data.tokens[id] != token) {
      where.fail(message("token ", id, " to be '", data.tokens[id], "'"));
    }
    return;
  }
  if (id > data.tokens.size() || (hints.vocab_size && id >= *hints.vocab_size)) {
    where.fail(message("the next id ", data.tokens.size(), ", below the vocabulary's size"));
  }
  data.tokens.push_back(token);
  data.types.push_back(special ? TokenType::control : TokenType::user_defined);
  data.added.push_back({.id = static_cast<TokenId>(id), .special = special});
}

/// Keys of JSON objects are sorted as text; ids count as numbers.
std::vector<std::pair<std::size_t, JsonValue>> by_id(const JsonValue& decoder) {
  std::vector<std::pair<std::size_t, JsonValue>> entries;
  for (const auto& [key, entry] : decoder.members()) {
    constexpr std::size_t kMaxDigits = 9;
    if (key.empty() || key.size() > kMaxDigits ||
        key.find_first_not_of("0123456789") != std::string::npos) {
      entry.fail("an id as its key");
    }
    entries.emplace_back(std::stoul(key), entry);
  }
  std::ranges::sort(entries, {}, [](const auto& entry) { return entry.first; });
  return entries;
}

void read_added_tokens(const std::optional<JsonValue>& config, const std::optional<JsonValue>& list,
                       const TokenizerHints& hints, TokenizerData& data) {
  if (const auto decoder = config ? config->find("added_tokens_decoder") : std::nullopt) {
    for (const auto& [id, entry] : by_id(*decoder)) {
      add_token(entry, id, entry.at("content").text(), entry.flag_or("special", false), hints,
                data);
    }
  }
  if (!list) {
    return;
  }
  auto entries = list->members();
  std::ranges::sort(entries, {}, [](const auto& entry) { return entry.second.number(); });
  for (const auto& [token, id] : entries) {
    add_token(id, id.number(), token, false, hints, data);
  }
}

/// A special token is a string, or an object with its text as content.
std::optional<std::string> special_text(const std::optional<JsonValue>& config,
                                        const std::string& key) {
  const auto found = config ? config->find(key) : std::nullopt;
  if (!found) {
    return std::nullopt;
  }
  return found->is_object() ? found->at("content").text() : found->text();
}

void read_special_ids(const std::optional<JsonValue>& config, const std::optional<JsonValue>& map,
                      TokenizerData& data) {
  const std::vector<std::pair<std::string, std::optional<TokenId> TokenizerData::*>> roles = {
      {"bos_token", &TokenizerData::bos},     {"eos_token", &TokenizerData::eos},
      {"eot_token", &TokenizerData::eot},     {"eom_token", &TokenizerData::eom},
      {"unk_token", &TokenizerData::unknown}, {"pad_token", &TokenizerData::padding}};
  for (const auto& [key, member] : roles) {
    auto text = special_text(config, key);
    if (!text) {
      text = special_text(map, key);
    }
    if (!text) {
      continue;
    }
    const auto found = std::ranges::find(data.tokens, *text);
    if (found == data.tokens.end()) {
      data.repairs.push_back(message("ignored ", key, " '", *text, "', which is no token"));
    } else {
      data.*member = static_cast<TokenId>(found - data.tokens.begin());
    }
  }
}

/// The model's own ids fill what the tokenizer's files leave open.
void apply_hints(const TokenizerHints& hints, TokenizerData& data) {
  const auto fill = [&](std::optional<TokenId>& id, std::optional<TokenId> hint, const char* name) {
    if (id || !hint) {
      return;
    }
    if (*hint >= data.tokens.size()) {
      data.repairs.push_back(message("ignored the model's ", name, " id ", *hint, " beyond ",
                                     data.tokens.size(), " tokens"));
      return;
    }
    id = hint;
  };
  fill(data.bos, hints.bos, "bos");
  fill(data.eos, hints.eos.empty() ? std::nullopt : std::optional(hints.eos.front()), "eos");
  fill(data.padding, hints.padding, "padding");
}

std::optional<std::string> chat_template(const std::optional<JsonValue>& config) {
  const auto found = config ? config->find("chat_template") : std::nullopt;
  if (!found) {
    return std::nullopt;
  }
  if (!found->is_array()) {
    return found->text();
  }
  for (const JsonValue& entry : found->elements()) {
    if (entry.at("name").text() == "default") {
      return entry.at("template").text();
    }
  }
  return std::nullopt;
}

}  // namespace

void read_tokenizer_config(const HuggingFaceTexts& texts, const std::filesystem::path& folder,
                           const TokenizerHints& hints, TokenizerData& data) {
  const std::size_t vocab_size = hints.vocab_size.value_or(data.tokens.size());
  if (vocab_size < data.tokens.size() || vocab_size > kMaxVocabulary) {
    throw FormatError(message(folder.string(), ": expected a tokenizer of at most ",
                              std::min(vocab_size, kMaxVocabulary),
                              " tokens, the vocabulary's size, found ", data.tokens.size()));
  }
  const auto config = parse_object(texts.tokenizer_config_json, folder / "tokenizer_config.json");
  const auto map = parse_object(texts.special_tokens_map_json, folder / "special_tokens_map.json");
  const auto list = parse_object(texts.added_tokens_json, folder / "added_tokens.json");
  read_added_tokens(config, list, hints, data);
  fill_vocabulary(data, vocab_size);
  read_special_ids(config, map, data);
  apply_hints(hints, data);
  if (const auto add_bos = config ? config->find("add_bos_token") : std::nullopt) {
    data.add_bos = add_bos->flag();
  }
  if (const auto add_eos = config ? config->find("add_eos_token") : std::nullopt) {
    data.add_eos = add_eos->flag();
  }
  if (!texts.chat_template.empty()) {
    data.chat_template = texts.chat_template;
  } else if (auto found = chat_template(config)) {
    data.chat_template = std::move(found);
  }
  guess_turn_ends(data);
  check_tokenizer(data, folder.string());
}

}  // namespace bitnet
