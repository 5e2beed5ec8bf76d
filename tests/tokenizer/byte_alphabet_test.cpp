// SPDX-License-Identifier: MIT
// Oracle: the published table, as points and as properties of a bijection.
#include "tokenizer/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

namespace bitnet {
namespace {

TEST(ByteAlphabet, KnownBytes) {
  EXPECT_EQ(to_byte_alphabet("az!~"), "az!~");
  EXPECT_EQ(to_byte_alphabet(" \n\t"), "\u0120\u010a\u0109");
  EXPECT_EQ(to_byte_alphabet(std::string(1, '\0')), "\u0100");
  EXPECT_EQ(to_byte_alphabet("\x7f\xa0\xad"), "\u0121\u0142\u0143");
  EXPECT_EQ(to_byte_alphabet("\xa1\xac\xae\xff"), "\u00a1\u00ac\u00ae\u00ff");
  EXPECT_EQ(to_byte_alphabet("\xc3\xa9"), "\u00c3\u00a9");
}

TEST(ByteAlphabet, EveryByteHasItsOwnCharacter) {
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    seen.insert(to_byte_alphabet(bytes));
    EXPECT_EQ(from_byte_alphabet(to_byte_alphabet(bytes)), bytes) << byte;
  }
  EXPECT_EQ(seen.size(), 256U);
}

TEST(ByteAlphabet, OtherTextIsRefused) {
  for (const char* text : {" ", "\n", "\u0144", "\u00ad", "\u2581", "a\xc4", "\xc0\xa1", "\xff"}) {
    EXPECT_EQ(from_byte_alphabet(text), std::nullopt) << text;
  }
  EXPECT_EQ(from_byte_alphabet(""), "");
}

}  // namespace
}  // namespace bitnet
