// SPDX-License-Identifier: MIT
// Oracle: the text that was cut up, and the rules of UTF-8.
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include "formats/utf8.h"
#include "tokenizer/encoding_vocabularies.h"
#include "tokenizer/small_tokenizers.h"

namespace bitnet {
namespace {

using Strings = std::vector<std::string>;

/// One token per byte; SentencePiece's model, which every build can make.
Tokenizer byte_tokenizer() {
  TokenizerData data = test::byte_vocabulary({});
  data.model = TokenizerModel::sentencepiece_bpe;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    data.tokens[byte] = std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">";
    data.types[byte] = TokenType::byte;
  }
  data.scores.assign(data.tokens.size(), 0.0F);
  data.add_space_prefix = false;
  return Tokenizer(data);
}

/// What add() returns for each byte, then what flush() returns.
Strings stream(std::string_view bytes) {
  Detokenizer detokenizer(byte_tokenizer());
  Strings texts;
  for (const char byte : bytes) texts.push_back(detokenizer.add(test::byte_token(byte)));
  texts.push_back(detokenizer.flush());
  return texts;
}

TEST(Detokenizer, CharactersComeWhole) {
  EXPECT_EQ(stream("a"), (Strings{"a", ""}));
  EXPECT_EQ(stream("\u00e9"), (Strings{"", "\u00e9", ""}));
  EXPECT_EQ(stream("\u20acb"), (Strings{"", "", "\u20ac", "b", ""}));
  EXPECT_EQ(stream("\U0001f44d"), (Strings{"", "", "", "\U0001f44d", ""}));
}

TEST(Detokenizer, EveryPrefixOfACharacterIsKept) {
  for (const std::string text :
       {"\u00e9", "\u20ac", "\U0001f44d", "\u0800", "\ud7ff", "\U00010000", "\U0010ffff"}) {
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      Strings expected(cut, "");
      expected.push_back(text.substr(0, cut));
      EXPECT_EQ(stream(text.substr(0, cut)), expected) << "comes out at flush";
    }
  }
}

TEST(Detokenizer, OtherBytesComeOutAsTheyAre) {
  EXPECT_EQ(stream("\xff"), (Strings{"\xff", ""}));
  EXPECT_EQ(stream("\x80z"), (Strings{"\x80", "z", ""}));
  EXPECT_EQ(stream("\xe2\x82z"), (Strings{"", "", "\xe2\x82z", ""}));
  EXPECT_EQ(stream("\xe2\xc3\xa9"), (Strings{"", "\xe2", "\u00e9", ""}));
  EXPECT_EQ(stream("\xed\xa0\x80"), (Strings{"", "\xed\xa0", "\x80", ""})) << "a surrogate";
}

TEST(Detokenizer, TheSpaceInFrontGoesOnce) {
  Detokenizer detokenizer(Tokenizer(test::read_json(test::small_spm_json())));
  EXPECT_EQ(detokenizer.add(1), "") << "<s>";
  EXPECT_EQ(detokenizer.add(6), "ab");
  EXPECT_EQ(detokenizer.add(6), " ab");
  EXPECT_EQ(detokenizer.flush(), "");
  EXPECT_EQ(detokenizer.add(6), "ab") << "a new text";
}

}  // namespace
}  // namespace bitnet
