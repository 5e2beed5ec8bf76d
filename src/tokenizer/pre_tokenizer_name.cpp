// SPDX-License-Identifier: MIT
#include "tokenizer/pre_tokenizer_name.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/message.h"

namespace bitnet {

const std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

const std::array kLlama3 = {kLlama3Pattern};
const std::array kQwen2 = {kQwen2Pattern};
const std::array kGpt2 = {kGpt2Pattern};
const std::array<std::string_view, 4> kDefault = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Pattern,
                                                  R"(\p{N}+)", "[0-9][0-9][0-9]"};
const std::array<std::string_view, 3> kFalcon = {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2Pattern,
                                                 "[0-9][0-9][0-9]"};

/// Of the names that share patterns and ignore_merges, the first is written. "falcon_e" is
/// bitnet.cpp's word for falcon-h1, unknown elsewhere.
const std::array kPreTokenizers = {
    PreTokenizer{"llama-bpe", kLlama3, true}, PreTokenizer{"llama3", kLlama3, true},
    PreTokenizer{"llama-v3", kLlama3, true},  PreTokenizer{"falcon3", kLlama3, true},
    PreTokenizer{"falcon-h1", kLlama3, true}, PreTokenizer{"falcon_e", kLlama3, true},
    PreTokenizer{"pixtral", kLlama3, true},   PreTokenizer{"smaug-bpe", kLlama3, false},
    PreTokenizer{"dbrx", kLlama3, false},     PreTokenizer{"qwen2", kQwen2, false},
    PreTokenizer{"gpt-2", kGpt2, false},      PreTokenizer{"default", kDefault, false},
    PreTokenizer{"falcon", kFalcon, false},
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Rewrites spellings that match the same text. Possessive quantifiers give nothing back, but no
/// alternative here ever asks for it; a last \s+ only names a piece that is left over anyway.
std::string canonical_pattern(std::string pattern) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kSpellings = {{
      {"\r", R"(\r)"},
      {"\n", R"(\n)"},
      {"'(?i:[sdmt]|ll|ve|re)", "(?i:'s|'t|'re|'ve|'m|'ll|'d)"},
      {"(?i:'(?:[sdmt]|ll|ve|re))", "(?i:'s|'t|'re|'ve|'m|'ll|'d)"},
      {"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "(?i:'s|'t|'re|'ve|'m|'ll|'d)"},
      {"'(?:[sdmt]|ll|ve|re)", "'s|'t|'re|'ve|'m|'ll|'d"},
      {"?+", "?"},
      {"++", "+"},
      {R"(\s*[\r\n]|)", R"(\s*[\r\n]+|)"},
  }};
  for (const auto& [spelling, canonical] : kSpellings) {
    replace_all(pattern, spelling, canonical);
  }
  if (!pattern.ends_with(R"(|\s+)")) {
    pattern += R"(|\s+)";
  }
  return pattern;
}

bool same_patterns(std::span<const std::string> found, std::span<const std::string_view> known) {
  return std::ranges::equal(found, known, {}, canonical_pattern, [](std::string_view text) {
    return canonical_pattern(std::string(text));
  });
}

}  // namespace

const PreTokenizer* find_pre_tokenizer(std::string_view name) {
  const auto* const found = std::ranges::find(kPreTokenizers, name, &PreTokenizer::name);
  return found == kPreTokenizers.end() ? nullptr : found;
}

std::string pre_tokenizer_names() {
  std::string names;
  for (const PreTokenizer& known : kPreTokenizers) {
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  return names;
}

std::string pre_tokenizer_name(std::span<const std::string> patterns, bool ignore_merges,
                               std::size_t vocab_size, std::optional<TokenId> eos) {
  constexpr std::size_t kFalcon3Vocabulary = 131072;
  constexpr std::size_t kFalconEVocabulary = 32768;
  constexpr TokenId kFalconEos = 11;
  if (same_patterns(patterns, kLlama3)) {
    if (vocab_size == kFalcon3Vocabulary) {
      return "falcon3";
    }
    if (vocab_size == kFalconEVocabulary && eos == kFalconEos) {
      return "falcon-h1";
    }
    return ignore_merges ? "llama-bpe" : "smaug-bpe";
  }
  for (const PreTokenizer& known : kPreTokenizers) {
    if (same_patterns(patterns, known.patterns)) {
      return std::string(known.name);
    }
  }
  std::string found;
  for (const std::string& pattern : patterns) {
    found += (found.empty() ? "" : " then ") + pattern;
  }
  throw UnsupportedError(message("pre_tokenizer: expected the patterns of one of ",
                                 pre_tokenizer_names(), ", found ",
                                 found.empty() ? "none" : found));
}

}  // namespace bitnet
