// SPDX-License-Identifier: MIT
// Oracle: folders put together by hand.
#include "tokenizer/tokenizer_folder.h"

#include <gtest/gtest.h>

#include "formats/byte_string.h"
#include "formats/hostile_bytes.h"
#include "formats/temporary_folder.h"
#include "tokenizer/small_tokenizers.h"

namespace bitnet {
namespace {

/// SentencePiece: the pieces <unk> and a; then the trainer's part: BPE, no bos, no eos.
const auto kPieces = test::hex(
    "0a 09 0a 05 3c 75 6e 6b 3e 18 02 | 0a 03 0a 01 61 | "
    "12 1a 18 02 c8 02 ff*9 01 d0 02 ff*9 01");

TEST(TokenizerFolder, PrefersTokenizerJson) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(read_tokenizer(folder.path(), {}), std::nullopt);
  EXPECT_EQ(read_tokenizer(folder / "missing", {}), std::nullopt);
  folder.write("tokenizer.model", std::string_view("Zg== 0\nbw== 1\nZm8= 2\n"));
  EXPECT_EQ(read_tokenizer(folder.path(), {})->tokens.size(), 259U);
  folder.write("tokenizer.json", test::small_bpe_json());
  folder.write("tokenizer_config.json", test::small_bpe_config());
  folder.write("chat_template.jinja", std::string_view("J"));
  const TokenizerData data = read_tokenizer(folder.path(), {}).value();
  EXPECT_EQ(data.tokens.size(), 9U);
  EXPECT_EQ(data.eos, 6U);
  EXPECT_EQ(data.chat_template, "J");
  folder.write("tokenizer.json", std::string_view("{"));
  test::expect_error<FormatError>([&] { read_tokenizer(folder.path(), {}); },
                                  {(folder / "tokenizer.json").string()});
}

TEST(TokenizerFolder, SentencePieceWithAddedTokensAndFillers) {
  const test::TemporaryFolder folder;
  folder.write("tokenizer.model", kPieces);
  folder.write("added_tokens.json", std::string_view(R"({"</line>":3,"<pad>":2})"));
  folder.write("tokenizer_config.json", std::string_view(R"({"pad_token":"<pad>"})"));
  const TokenizerData data = read_tokenizer(folder.path(), {.vocab_size = 5}).value();
  EXPECT_EQ(data.tokens, (std::vector<std::string>{"<unk>", "a", "<pad>", "</line>", "[PAD4]"}));
  EXPECT_EQ(data.scores, (std::vector<float>{0, 0, -1000, -1000, -10000}));
  EXPECT_EQ(data.types[2], TokenType::user_defined);
  EXPECT_EQ(data.types[4], TokenType::unused);
  EXPECT_EQ(data.padding, 2U);
  EXPECT_EQ(data.bos, std::nullopt);
}

TEST(TokenizerFolder, TheVocabularyMayNotBeLargerThanTheModels) {
  const test::TemporaryFolder folder;
  folder.write("tokenizer.model", std::string_view("Zg== 0\n"));
  EXPECT_EQ(read_tokenizer(folder.path(), {.vocab_size = 258})->tokens[257], "[PAD257]");
  test::expect_error<FormatError>([&] { read_tokenizer(folder.path(), {.vocab_size = 256}); },
                                  {"256", "found 257"});
}

}  // namespace
}  // namespace bitnet
