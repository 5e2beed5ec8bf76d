// SPDX-License-Identifier: MIT
#include "tokenizer/tiktoken_file.h"

#include <bitnet/error.h>

#include <array>
#include <charconv>
#include <numeric>
#include <utility>

#include "base/message.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/token_splits.h"

namespace bitnet {
namespace {

constexpr std::size_t kSpecialTokens = 256;

/// -1 for what is no digit.
int base64_digit(char c) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t digit = kDigits.find(c);
  return digit == std::string_view::npos ? -1 : static_cast<int>(digit);
}

/// With its padding. nullopt for anything that an encoder does not write.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) {
    return std::nullopt;
  }
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string bytes;
  unsigned bits = 0;
  int count = 0;  // of the low bits in `bits` that no byte has taken
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) {
      return std::nullopt;
    }
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  const bool has_stray_bits = (bits & ((1U << count) - 1)) != 0;
  return has_stray_bits ? std::nullopt : std::optional(bytes);
}

struct Line {
  std::string token;  ///< bytes
  std::size_t rank = 0;
};

std::optional<Line> parse_line(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) {
    return std::nullopt;
  }
  auto token = from_base64(text.substr(0, space));
  Line line;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + space + 1, end, line.rank);
  if (!token || error != std::errc() || stop != end) {
    return std::nullopt;
  }
  line.token = *std::move(token);
  return line;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

/// Llama 3 names ten tokens in a fixed order and reserves the rest.
std::vector<std::string> llama3_special_tokens() {
  std::vector<std::string> tokens = {"<|begin_of_text|>", "<|end_of_text|>"};
  std::size_t reserved = 0;
  const auto reserve = [&](std::size_t size) {
    while (tokens.size() < size) {
      tokens.push_back(message("<|reserved_special_token_", reserved++, "|>"));
    }
  };
  reserve(6);
  tokens.insert(tokens.end(), {"<|start_header_id|>", "<|end_header_id|>"});
  reserve(9);
  tokens.emplace_back("<|eot_id|>");
  reserve(kSpecialTokens);
  return tokens;
}

}  // namespace

bool looks_like_tiktoken(std::string_view text) {
  constexpr std::size_t kLongestLine = 4096;
  std::string_view start = text.substr(0, kLongestLine);
  return parse_line(take_line(start)).has_value();
}

TokenizerData read_tiktoken(std::string_view text, const std::filesystem::path& file) {
  TokenizerData data;
  data.pre = "llama-bpe";
  data.ignore_merges = true;
  while (!text.empty()) {
    const auto line = parse_line(take_line(text));
    const std::size_t rank = data.tokens.size();
    // Ranks are ids, so a gap or a repetition would move every later token.
    if (!line || line->rank != rank || rank >= kMaxVocabulary) {
      throw FormatError(
          message(file.string(), ": line ", rank + 1, ": expected base64, a space and the rank ",
                  rank, line ? message(", found the rank ", line->rank) : ", found neither"));
    }
    data.tokens.push_back(to_byte_alphabet(line->token));
  }
  const std::size_t ordinary = data.tokens.size();
  std::vector<TokenId> ranked(ordinary);
  std::iota(ranked.begin(), ranked.end(), TokenId{0});
  data.merges = merges_of_ranking(data.tokens, ranked, file.string());
  data.types.assign(ordinary, TokenType::normal);
  for (std::string& token : llama3_special_tokens()) {
    data.tokens.push_back(std::move(token));
    data.types.push_back(TokenType::control);
  }
  data.bos = static_cast<TokenId>(ordinary);
  data.eos = static_cast<TokenId>(ordinary + 1);
  data.add_bos = true;
  added_tokens_from_types(data);
  check_tokenizer(data, file.string());
  return data;
}

}  // namespace bitnet
