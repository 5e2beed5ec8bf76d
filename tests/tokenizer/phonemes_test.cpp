// SPDX-License-Identifier: MIT
// The tokenizer of models/say-it. Oracle: what DATA.md there says of it, letter by letter; the
// library's own GGUF reader, tested elsewhere.
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "formats/temporary_folder.h"
#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer/tokenizer_folder.h"

namespace bitnet {
namespace {

using Ids = std::vector<TokenId>;

constexpr TokenId kEnd = 1;
const std::string kLetters = "'-.abcdefghijklmnopqrstuvwxyz";
constexpr TokenId kFirstLetter = 2;
const std::vector<std::string> kPhonemes = {
    "AA0", "AA1", "AA2", "AE0", "AE1", "AE2", "AH0", "AH1", "AH2", "AO0", "AO1", "AO2",
    "AW0", "AW1", "AW2", "AY0", "AY1", "AY2", "B",   "CH",  "D",   "DH",  "EH0", "EH1",
    "EH2", "ER0", "ER1", "ER2", "EY0", "EY1", "EY2", "F",   "G",   "HH",  "IH0", "IH1",
    "IH2", "IY0", "IY1", "IY2", "JH",  "K",   "L",   "M",   "N",   "NG",  "OW0", "OW1",
    "OW2", "OY0", "OY1", "OY2", "P",   "R",   "S",   "SH",  "T",   "TH",  "UH0", "UH1",
    "UH2", "UW0", "UW1", "UW2", "V",   "W",   "Y",   "Z",   "ZH"};
constexpr TokenId kFirstPhoneme = 31;

TokenizerData say_it() { return read_tokenizer(BITNET_SOURCE_DIR "/models/say-it", {}).value(); }

void expect_letters_and_phonemes(const Tokenizer& tokenizer) {
  Ids letters;
  for (TokenId i = 0; i < kLetters.size(); ++i) letters.push_back(kFirstLetter + i);
  letters.push_back(kEnd);
  EXPECT_EQ(tokenizer.encode(kLetters), letters);
  EXPECT_EQ(tokenizer.decode(letters), kLetters);

  Ids phonemes;
  std::string text;
  for (TokenId i = 0; i < kPhonemes.size(); ++i) {
    EXPECT_EQ(tokenizer.encode(kPhonemes[i]), (Ids{kFirstPhoneme + i, kEnd})) << kPhonemes[i];
    phonemes.push_back(kFirstPhoneme + i);
    text += (i == 0 ? "" : " ") + kPhonemes[i];
  }
  phonemes.push_back(kEnd);
  EXPECT_EQ(tokenizer.encode(text), phonemes);
  EXPECT_EQ(tokenizer.decode(phonemes), text);
  EXPECT_TRUE(tokenizer.is_end_of_generation(kEnd));
}

TEST(Phonemes, LettersAndPhonemesAreATokenEach) {
  expect_letters_and_phonemes(Tokenizer(say_it()));
}

TEST(Phonemes, TravelThroughGguf) {
  const test::TemporaryFolder folder;
  std::vector<GgufKeyValue> all = {{"general.architecture", std::string("llama")}};
  for (GgufKeyValue& entry : write_gguf_tokenizer(say_it())) all.push_back(std::move(entry));
  GgufWriter(folder / "say-it.gguf", all, {}).commit();
  const auto metadata = open_checkpoint(folder / "say-it.gguf").metadata();
  expect_letters_and_phonemes(Tokenizer(read_gguf_tokenizer(metadata).value()));
}

}  // namespace
}  // namespace bitnet
