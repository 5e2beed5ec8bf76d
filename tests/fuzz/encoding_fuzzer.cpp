// SPDX-License-Identifier: MIT
// Any bytes as a text: what tokenizers make of it stands for the same bytes, whole and streamed.
#include <bitnet/tokenizer.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/encoding_vocabularies.h"

namespace bitnet {
namespace {

/// Normal form C, and added tokens that take white space along or stand alone: text may change.
TokenizerData changing_byte_level() {
  TokenizerData data = test::any_bytes_byte_level();
  data.nfc = true;
  data.add_bos = true;
  data.bos = test::add_token(data, "<s>", {.special = true}, TokenType::control);
  test::add_token(data, "<l>", {.lstrip = true});
  test::add_token(data, "<r>", {.rstrip = true, .normalized = true});
  test::add_token(data, "word", {.single_word = true});
  test::add_token(data, "a\u00e9", {.normalized = true});
  test::add_token(data, "<n>", {.special = true, .normalized = true}, TokenType::control);
  return data;
}

/// SentencePiece has no U+2581 of its own.
std::string with_spaces(std::string_view text) {
  constexpr std::string_view kSpace = "\u2581";
  std::string result;
  while (!text.empty()) {
    const bool is_space = text.starts_with(kSpace);
    result += is_space ? ' ' : text.front();
    text.remove_prefix(is_space ? kSpace.size() : 1);
  }
  return result;
}

/// Decoded, which must be what streaming gives. The first half's control tokens are read where
/// `first` says so, the second's where `second` does.
std::string decoded(const Tokenizer& tokenizer, std::string_view text, bool first, bool second) {
  const std::size_t half = text.size() / 2;
  const std::vector<TextSegment> segments = {{std::string(text.substr(0, half)), first},
                                             {std::string(text.substr(half)), second}};
  const std::vector<TokenId> ids = tokenizer.encode(segments);
  if (first == second && ids != tokenizer.encode(text, {.parse_special = first})) std::abort();
  Detokenizer detokenizer(tokenizer, true);
  std::string streamed;
  for (const TokenId id : ids) streamed += detokenizer.add(id);
  streamed += detokenizer.flush();
  if (tokenizer.decode(ids, true) != streamed) std::abort();
  return streamed;
}

void check(std::string_view text) {
  static const Tokenizer byte_level(test::any_bytes_byte_level());
  static const Tokenizer with_prefix(test::any_bytes_sentencepiece(true));
  static const Tokenizer without_prefix(test::any_bytes_sentencepiece(false));
  static const Tokenizer changing(changing_byte_level());
  const std::string spaced = with_spaces(text);
  for (const auto& [first, second] : {std::pair{false, true}, {true, true}}) {
    if (decoded(byte_level, text, first, second) != text) std::abort();
    decoded(changing, text, first, second);
  }
  if (decoded(with_prefix, text, true, true) != spaced ||
      decoded(without_prefix, text, false, false) != spaced) {
    std::abort();
  }
}

}  // namespace
}  // namespace bitnet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bitnet::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
