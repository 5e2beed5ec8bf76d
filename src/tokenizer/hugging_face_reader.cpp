// SPDX-License-Identifier: MIT
// tokenizer.json.
#include <bitnet/error.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/message.h"
#include "tokenizer/hugging_face_tokenizer.h"
#include "tokenizer/pre_tokenizer_name.h"
#include "tokenizer/strict_json.h"
#include "tokenizer/token_splits.h"

namespace bitnet {
namespace {

constexpr std::string_view kSpace = "\u2581";
/// Ids may have gaps, but a small file must not ask for a large vocabulary by one id.
constexpr std::size_t kMaxGaps = 4096;

/// The parts of a component that may be one or a Sequence of several.
std::vector<JsonValue> parts(const std::optional<JsonValue>& component, const char* list) {
  if (!component) {
    return {};
  }
  if (component->text_or("type", "") == "Sequence") {
    return component->at(list).elements();
  }
  return {*component};
}

[[noreturn]] void fail_unsupported(const JsonValue& part, const std::string& what) {
  throw UnsupportedError(message("tokenizer.json: ", what, " '", part.text_or("type", "?"),
                                 "' has no counterpart here"));
}

/// The text of a vocabulary, id by id.
class Vocabulary {
 public:
  void add(TokenId id, const std::string& token, const JsonValue& where) {
    if (id >= kMaxVocabulary) {
      where.fail(message("an id below ", kMaxVocabulary));
    }
    const auto [found, is_new] = tokens_.emplace(id, token);
    if (!is_new && found->second != token) {
      where.fail(message("an id that '", found->second, "' does not have"));
    }
  }

  /// [V] with fillers in the gaps.
  void move_to(TokenizerData& data, const JsonValue& where) {
    const std::size_t count = tokens_.empty() ? 0 : tokens_.rbegin()->first + std::size_t{1};
    if (count - tokens_.size() > tokens_.size() + kMaxGaps) {
      where.fail(message("at most ", tokens_.size() + kMaxGaps, " ids without a token for ",
                         tokens_.size(), " tokens"));
    }
    for (auto& [id, token] : tokens_) {
      fill_vocabulary(data, id);
      data.tokens.push_back(std::move(token));
      data.types.push_back(TokenType::normal);
    }
  }

 private:
  std::map<TokenId, std::string> tokens_;
};

void read_vocabulary(const JsonValue& root, const TokenizerHints& hints, TokenizerData& data) {
  Vocabulary vocabulary;
  const auto add = [&](const std::string& token, const JsonValue& id_value) {
    const TokenId id = id_value.number();
    if (hints.vocab_size && id >= *hints.vocab_size) {
      id_value.fail(message("an id below the vocabulary's size ", *hints.vocab_size));
    }
    vocabulary.add(id, token, id_value);
  };
  const JsonValue vocab = root.at("model").at("vocab");
  for (const auto& [token, id] : vocab.members()) {
    add(token, id);
  }
  if (const auto added = root.find("added_tokens")) {
    for (const JsonValue& entry : added->elements()) {
      add(entry.at("content").text(), entry.at("id"));
      data.added.push_back({.id = entry.at("id").number(),
                            .special = entry.flag_or("special", false),
                            .single_word = entry.flag_or("single_word", false),
                            .lstrip = entry.flag_or("lstrip", false),
                            .rstrip = entry.flag_or("rstrip", false),
                            .normalized = entry.flag_or("normalized", false)});
    }
  }
  vocabulary.move_to(data, vocab);
  std::ranges::sort(data.added, {}, &AddedToken::id);
  for (std::size_t i = 1; i < data.added.size(); ++i) {
    if (data.added[i].id == data.added[i - 1].id) {
      root.at("added_tokens").fail(message("each id once, not ", data.added[i].id, " twice"));
    }
  }
}

/// A pair member may hold a literal space, which the string form writes in the byte alphabet.
std::string pair_member(const JsonValue& value) {
  std::string text = value.text();
  for (std::size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at)) {
    text.replace(at, 1, "\u0120");
  }
  return text;
}

std::vector<std::string> read_merges(const JsonValue& model) {
  std::vector<std::string> merges;
  for (const JsonValue& merge : model.at("merges").elements()) {
    if (!merge.is_array()) {
      merges.push_back(merge.text());
      continue;
    }
    const auto pair = merge.elements();
    if (pair.size() != 2) {
      merge.fail("a pair of tokens");
    }
    merges.push_back(pair_member(pair[0]) + ' ' + pair_member(pair[1]));
  }
  return merges;
}

void read_byte_level(const JsonValue& root, const TokenizerHints& hints, bool ignore_merges,
                     std::vector<std::string>& patterns, TokenizerData& data) {
  data.ignore_merges = ignore_merges;
  for (const JsonValue& part : parts(root.find("normalizer"), "normalizers")) {
    if (part.text_or("type", "") != "NFC") {
      fail_unsupported(part, "normalizer");
    }
    data.nfc = true;
  }
  bool is_byte_level = false;
  for (const JsonValue& part : parts(root.find("pre_tokenizer"), "pretokenizers")) {
    const std::string type = part.text_or("type", "");
    if (type == "Split" && part.text_or("behavior", "") == "Isolated" &&
        !part.flag_or("invert", false)) {
      patterns.push_back(part.at("pattern").at("Regex").text());
    } else if (type == "ByteLevel") {
      is_byte_level = true;
      if (part.flag_or("use_regex", true)) {
        patterns.emplace_back(kGpt2Pattern);
      }
      if (part.flag_or("add_prefix_space", true)) {
        data.add_space_prefix = true;
      }
    } else if (hints.pre.empty()) {
      fail_unsupported(part, "pre_tokenizer");
    }
  }
  if (!is_byte_level) {
    throw UnsupportedError(
        "tokenizer.json: expected a ByteLevel pre_tokenizer, or byte_fallback with a normalizer "
        "that writes U+2581 for spaces");
  }
}

/// How text becomes pieces around U+2581: a normalizer as Llama's, or a Metaspace pre-tokenizer.
void read_metaspace(const JsonValue& root, TokenizerData& data) {
  data.model = TokenizerModel::sentencepiece_bpe;
  data.pre = "default";
  data.add_space_prefix = false;
  bool replaces_spaces = false;
  for (const JsonValue& part : parts(root.find("normalizer"), "normalizers")) {
    const std::string type = part.text_or("type", "");
    if (type == "Prepend" && part.at("prepend").text() == kSpace) {
      data.add_space_prefix = true;
    } else if (type == "Replace" && part.at("pattern").text_or("String", "") == " " &&
               part.at("content").text() == kSpace) {
      replaces_spaces = true;
    } else {
      fail_unsupported(part, "normalizer");
    }
  }
  for (const JsonValue& part : parts(root.find("pre_tokenizer"), "pretokenizers")) {
    if (part.text_or("type", "") != "Metaspace" || part.text_or("replacement", "") != kSpace) {
      fail_unsupported(part, "pre_tokenizer");
    }
    replaces_spaces = true;
    data.add_space_prefix = part.text_or("prepend_scheme", "always") != "never" &&
                            part.flag_or("add_prefix_space", true);
  }
  if (!replaces_spaces) {
    throw UnsupportedError(
        "tokenizer.json: byte_fallback without U+2581 for spaces has no counterpart here");
  }
}

bool looks_special(std::string_view token) {
  return token.starts_with("<|") && token.ends_with("|>");
}

void set_types(TokenizerData& data) {
  if (data.model == TokenizerModel::sentencepiece_bpe) {
    for (std::size_t id = 0; id < data.tokens.size(); ++id) {
      if (is_byte_token(data.tokens[id])) {
        data.types[id] = TokenType::byte;
      }
    }
  }
  for (const AddedToken& added : data.added) {
    data.types[added.id] = added.special || looks_special(data.tokens[added.id])
                               ? TokenType::control
                               : TokenType::user_defined;
  }
  if (data.model == TokenizerModel::sentencepiece_bpe && data.unknown) {
    data.types[*data.unknown] = TokenType::unknown;
  }
}

std::optional<TokenId> find_token(const TokenizerData& data, const std::string& token) {
  const auto found = std::ranges::find(data.tokens, token);
  return found == data.tokens.end()
             ? std::nullopt
             : std::optional(static_cast<TokenId>(found - data.tokens.begin()));
}

/// TemplateProcessing names the special tokens around $A; the first is BOS, the last EOS.
void read_post_processor(const JsonValue& root, TokenizerData& data) {
  for (const JsonValue& part : parts(root.find("post_processor"), "processors")) {
    if (part.text_or("type", "") != "TemplateProcessing") {
      continue;
    }
    const auto single = part.at("single").elements();
    const auto special_at = [&](std::size_t i) -> std::optional<TokenId> {
      const auto special = single[i].find("SpecialToken");
      return special ? find_token(data, special->at("id").text()) : std::nullopt;
    };
    data.add_bos = false;
    if (single.size() > 1) {
      if (const auto first = special_at(0)) {
        data.bos = first;
        data.add_bos = true;
      }
      if (const auto last = special_at(single.size() - 1)) {
        data.eos = last;
        data.add_eos = true;
      }
    }
  }
}

}  // namespace

TokenizerData read_hugging_face(const HuggingFaceTexts& texts, const std::filesystem::path& folder,
                                const TokenizerHints& hints) {
  const std::filesystem::path file = folder / "tokenizer.json";
  const JsonValue root = JsonValue::parse(texts.tokenizer_json, file);
  const JsonValue model = root.at("model");
  // Files before tokenizers 0.9 leave the type out.
  if (model.text_or("type", "BPE") != "BPE") {
    throw UnsupportedError(message(file.string(), ": expected a model of type BPE, found ",
                                   model.text_or("type", "")));
  }
  TokenizerData data;
  read_vocabulary(root, hints, data);
  data.merges = read_merges(model);
  std::vector<std::string> patterns;
  if (model.flag_or("byte_fallback", false)) {
    read_metaspace(root, data);
  } else {
    read_byte_level(root, hints, model.flag_or("ignore_merges", false), patterns, data);
  }
  if (const auto unknown = model.find("unk_token")) {
    data.unknown = find_token(data, unknown->text());
  }
  set_types(data);
  read_post_processor(root, data);
  check_tokenizer(data, file.string());
  read_tokenizer_config(texts, folder, hints, data);
  if (data.model == TokenizerModel::sentencepiece_bpe) {
    scores_from_merges(data, file.string());
  }
  if (!hints.pre.empty()) {
    data.pre = hints.pre;
  } else if (data.model == TokenizerModel::byte_level_bpe) {
    data.pre = pre_tokenizer_name(patterns, data.ignore_merges, data.tokens.size(), data.eos);
  }
  return data;
}

}  // namespace bitnet
