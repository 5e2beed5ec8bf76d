// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "base/message.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/code_points.h"
#include "tokenizer/sentencepiece_bpe.h"
#include "tokenizer/token_table.h"
#include "tokenizer/tokenizer_data.h"

namespace bitnet {
namespace {

std::unique_ptr<const SubwordModel> make_model(const TokenizerData& data, const TokenIndex& index,
                                               const TokenBytes& bytes) {
  if (data.model == TokenizerModel::byte_level_bpe) {
    return std::make_unique<ByteLevelBpe>(data, index, bytes);
  }
  return std::make_unique<SentencePieceBpe>(data, index);
}

/// Of the added tokens those that are looked for in the normalized text, with their text
/// normalized, or those that are looked for in the text itself.
std::vector<AddedTokens::Entry> added_entries(const TokenizerData& data, const SubwordModel& model,
                                              bool normalized) {
  std::vector<AddedTokens::Entry> entries;
  for (const AddedToken& added : data.added) {
    const TokenType type = data.types[added.id];
    const std::string& text = data.tokens[added.id];
    if (added.normalized == normalized) {
      entries.push_back({normalized ? model.normalized(text).value_or(text) : text, added,
                         type == TokenType::control || type == TokenType::unknown});
    }
  }
  return entries;
}

}  // namespace

struct Tokenizer::Parts {
  Parts(TokenizerData from, std::span<const TokenId> further_ends)
      : data(std::move(from)),
        bytes(data),
        index(data.tokens, "tokenizer"),
        model(make_model(data, index, bytes)),
        added(added_entries(data, *model, false)),
        normalized_added(added_entries(data, *model, true)) {
    for (const TokenId id : further_ends) {
      require_token(id);
      ends.insert(id);
    }
    for (const auto& id : {data.eos, data.eot, data.eom}) {
      if (id) {
        ends.insert(*id);
      }
    }
    data.merges = {};  // the model has them; they are most of a tokenizer's memory
  }

  void require_token(TokenId id) const {
    if (id >= data.tokens.size()) {
      throw InvalidArgument(
          message("token id: expected less than ", data.tokens.size(), ", found ", id));
    }
  }

  bool is_special(TokenId id) const {
    require_token(id);
    const TokenType type = data.types[id];
    return type == TokenType::control || type == TokenType::unknown || type == TokenType::unused;
  }

  /// Control tokens are read within the ranges `control`, which ascend and do not touch.
  std::vector<TokenId> encode(std::string_view text, std::span<const TextRange> control,
                              bool add_special) const {
    if (text.size() >= std::numeric_limits<std::uint32_t>::max()) {
      throw InvalidArgument(
          message("text: expected less than 4 GiB, found ", text.size(), " bytes"));
    }
    std::vector<TokenId> ids;
    if (add_special && bitnet::adds_bos(data) && data.bos) {
      ids.push_back(*data.bos);
    }
    for (const TextPart& part : added.split(text, control)) {
      if (part.token) {
        ids.push_back(*part.token);
        continue;
      }
      const auto begin = static_cast<std::size_t>(part.text.data() - text.data());
      encode_part(part.text, clipped(control, {begin, begin + part.text.size()}), ids);
    }
    if (add_special && data.add_eos.value_or(false) && data.eos) {
      ids.push_back(*data.eos);
    }
    return ids;
  }

  /// Appends the ids of a text that holds no added token but those of normalized text.
  void encode_part(std::string_view text, std::vector<TextRange> control,
                   std::vector<TokenId>& ids) const {
    const std::optional<std::string> changed = model->normalized(text);
    const std::string_view normalized = changed ? std::string_view(*changed) : text;
    if (changed) {
      // A place goes where its text ends up on its own; only characters that are composed across it
      // are then on both sides, and no control token holds half a character.
      const auto moved = [&](std::size_t at) {
        return at == 0             ? 0
               : at == text.size() ? normalized.size()
                                   : model->normalized(text.substr(0, at))->size();
      };
      for (TextRange& range : control) {
        range = {moved(range.begin), moved(range.end)};
      }
    }
    for (const TextPart& part : normalized_added.split(normalized, control)) {
      if (part.token) {
        ids.push_back(*part.token);
      } else {
        model->encode(part.text, ids);
      }
    }
  }

  /// Appends what a token stands for; `at_start` is whether nothing stands before it.
  void decode(TokenId id, bool special, bool& at_start, std::string& text) const {
    if (is_special(id) && !special) {
      return;
    }
    std::string_view token = bytes[id];
    const bool has_prefix = at_start && data.model == TokenizerModel::sentencepiece_bpe &&
                            data.add_space_prefix.value_or(true) &&
                            data.types[id] != TokenType::control && token.starts_with(' ');
    token.remove_prefix(has_prefix ? 1 : 0);
    at_start = false;
    text += token;
  }

  TokenizerData data;
  TokenBytes bytes;
  TokenIndex index;
  std::set<TokenId> ends;
  std::unique_ptr<const SubwordModel> model;
  AddedTokens added;
  AddedTokens normalized_added;
};

Tokenizer::Tokenizer(TokenizerData data, std::span<const TokenId> further_ends)
    : parts_(std::make_shared<const Parts>(std::move(data), further_ends)) {}

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const TextRange all{0, text.size()};
  return parts_->encode(text, {&all, options.parse_special ? 1U : 0U}, options.add_special);
}

std::vector<TokenId> Tokenizer::encode(std::span<const TextSegment> segments,
                                       bool add_special) const {
  std::string text;
  std::vector<TextRange> control;
  for (const TextSegment& segment : segments) {
    const TextRange range{text.size(), text.size() + segment.text.size()};
    text += segment.text;
    if (!segment.parse_special || segment.text.empty()) {
      continue;
    }
    if (!control.empty() && control.back().end == range.begin) {
      control.back().end = range.end;
    } else {
      control.push_back(range);
    }
  }
  return parts_->encode(text, control, add_special);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string text;
  bool at_start = true;
  for (const TokenId id : ids) {
    parts_->decode(id, special, at_start, text);
  }
  return text;
}

std::string Tokenizer::token_bytes(TokenId id) const {
  parts_->require_token(id);
  return std::string(parts_->bytes[id]);
}

std::size_t Tokenizer::vocab_size() const { return parts_->data.tokens.size(); }

std::optional<TokenId> Tokenizer::bos() const { return parts_->data.bos; }

std::optional<TokenId> Tokenizer::eos() const { return parts_->data.eos; }

std::optional<TokenId> Tokenizer::eot() const { return parts_->data.eot; }

bool Tokenizer::adds_bos() const { return bitnet::adds_bos(parts_->data); }

bool Tokenizer::is_end_of_generation(TokenId id) const { return parts_->ends.contains(id); }

bool Tokenizer::is_special(TokenId id) const { return parts_->is_special(id); }

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
  return parts_->index.find(token);
}

const std::string* Tokenizer::chat_template() const {
  const auto& text = parts_->data.chat_template;
  return text ? &*text : nullptr;
}

Detokenizer::Detokenizer(Tokenizer tokenizer, bool special)
    : tokenizer_(std::move(tokenizer)), special_(special) {}

std::string Detokenizer::add(TokenId id) {
  tokenizer_.parts_->decode(id, special_, at_start_, pending_);
  const std::size_t whole = pending_.size() - incomplete_suffix(pending_);
  std::string text = pending_.substr(0, whole);
  pending_.erase(0, whole);
  return text;
}

std::string Detokenizer::flush() {
  at_start_ = true;
  return std::exchange(pending_, {});
}

}  // namespace bitnet
