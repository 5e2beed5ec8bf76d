// SPDX-License-Identifier: MIT
// Oracles: Unicode's own tables and examples (standard annex 15), as points; tests/interop compares
// all of Unicode with another implementation.
#include <gtest/gtest.h>

#include "base/message.h"
#include "formats/utf8.h"
#include "tokenizer/code_points.h"
#include "tokenizer/nfc.h"

namespace bitnet {
namespace {

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t expected = 0; expected <= 0x10ffff; ++expected) {
    if (expected >= 0xd800 && expected <= 0xdfff) continue;
    std::string text;
    append_utf8(expected, text);
    ASSERT_TRUE(is_utf8(text)) << std::hex << static_cast<unsigned>(expected);
    ASSERT_EQ(character_length(text + "\x80x"), text.size());
    ASSERT_EQ(code_point(text), expected);
    // Every beginning of the character waits for the rest.
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      ASSERT_EQ(incomplete_suffix(std::string("a").append(text, 0, cut)), cut);
      ASSERT_EQ(character_length(text.substr(0, cut)), 0U);
    }
    ASSERT_EQ(incomplete_suffix(text), 0U);
  }
}

TEST(Utf8, WhatCannotBeCompletedIsNotWaitedFor) {
  for (const char* text :
       {"", "a", "\x80", "\xc0", "\xc1", "\xf5", "\xff", "\xe0\x80", "\xe0\x9f", "\xed\xa0",
        "\xf0\x8f", "\xf4\x90", "\xf0\x90\x41", "\xe2\x82\xac\x80"}) {
    EXPECT_EQ(incomplete_suffix(text), 0U) << text;
  }
}

TEST(Utf8, RunsAreSplitWhereTheyEnd) {
  const auto runs = [](std::string_view text) {
    std::string shown;
    for_each_utf8_run(
        text, [&](std::string_view run) { shown += message("(", run, ")"); },
        [&](std::string_view bytes) { shown += message("[", bytes.size(), "]"); });
    return shown;
  };
  EXPECT_EQ(runs(""), "");
  EXPECT_EQ(runs("a\u00e9"), "(a\u00e9)");
  EXPECT_EQ(runs("\xff\xc3"), "[2]");
  EXPECT_EQ(runs("a\xe2\x82"
                 "b\xed\xa0\x80"),
            "(a)[2](b)[3]");
}

TEST(Characters, WordsAndSpaces) {
  for (const char32_t word :
       {U'a', U'Z', U'0', U'_', U'\u00e9', U'\u0301', U'\u0663', U'\u4e00', U'\u200d', U'\u24b6',
        U'\u2160', U'\u203f', U'\U0001f130', U'\U00020000'}) {
    EXPECT_TRUE(is_word_character(word)) << static_cast<unsigned>(word);
  }
  for (const char32_t other :
       {U' ', U'-', U'\u00b2', U'\u00bd', U'\u2028', U'\u20ac', U'\U0001f600', U'\U0010ffff'}) {
    EXPECT_FALSE(is_word_character(other)) << static_cast<unsigned>(other);
  }
  std::size_t spaces = 0;
  for (char32_t c = 0; c <= 0x10ffff; ++c) spaces += is_white_space(c) ? 1 : 0;
  EXPECT_EQ(spaces, 25U) << "PropList.txt";
  EXPECT_EQ(trailing_space("a \u3000\n"), 5U);
  EXPECT_EQ(leading_space("\u0085\u00a0 a"), 5U);
  EXPECT_EQ(trailing_space(" \xff"), 0U);
  EXPECT_EQ(leading_space(""), 0U);
  EXPECT_EQ(trailing_space(" "), 1U);
}

// Figures 3 to 6 of the annex, and NormalizationTest.txt.
TEST(Nfc, Examples) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain text", "plain text"},
      {"A\u030a", "\u00c5"},
      {"\u212b", "\u00c5"},
      {"\u2126", "\u03a9"},
      {"\u00c5", "\u00c5"},
      {"o\u0302", "\u00f4"},
      {"s\u0323\u0307", "\u1e69"},
      {"s\u0307\u0323", "\u1e69"},
      {"\u1e0b\u0323", "\u1e0d\u0307"},
      {"q\u0307\u0323", "q\u0323\u0307"},
      {"\ufb01", "\ufb01"},
      {"2\u2075", "2\u2075"},
      {"\u1100\u1161", "\uac00"},
      {"\u1100\u1161\u11a8", "\uac01"},
      {"\uac00\u11a8", "\uac01"},
      {"\u1100\u1161\u11a7", "\uac00\u11a7"},
      {"\u0958", "\u0915\u093c"},
      {"\u0344", "\u0308\u0301"},
      {"\u0301a", "\u0301a"},
      {"e\u0301e\u0301", "\u00e9\u00e9"},
      {"\u1100\uac00\u11a8", "\u1100\uac01"},
      {"\u0b47\u0300\u0b3e", "\u0b47\u0300\u0b3e"},
      {"\U0001d15e", "\U0001d157\U0001d165"},
      {"\uf900", "\u8c48"},
      {"a\u05ae\u0300\u0315b", "\u00e0\u05ae\u0315b"},
      {"\u00e9\u0323", "\u1eb9\u0301"},
      {"x\u00e9 \u00e9\u0301y", "x\u00e9 \u00e9\u0301y"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(to_nfc(text), expected) << text;
    EXPECT_EQ(to_nfc(expected), expected) << expected;
  }
}

TEST(Nfc, ManyMarksAreOrderedQuickly) {
  std::string marks = "a";
  for (int i = 0; i < 300000; ++i) marks += i % 2 == 0 ? "\u0315" : "\u0323";
  const std::string composed = to_nfc(marks);
  EXPECT_EQ(composed.size(), marks.size() + 3 - 1 - 2) << "the first U+0323 joins the a";
  EXPECT_TRUE(composed.starts_with("\u1ea1\u0323\u0323"));
  EXPECT_TRUE(composed.ends_with("\u0315\u0315"));
}

}  // namespace
}  // namespace bitnet
