// SPDX-License-Identifier: MIT
// Oracles: results worked out by hand from small vocabularies, and the contract of the header.
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>
#include <gtest/gtest.h>

#include <thread>

#include "formats/hostile_bytes.h"
#include "tokenizer/encoding_vocabularies.h"
#include "tokenizer/pattern_splitter.h"
#include "tokenizer/small_tokenizers.h"

namespace bitnet {
namespace {

using Ids = std::vector<TokenId>;

constexpr EncodeOptions kPlain = {.add_special = false};
constexpr EncodeOptions kSpecial = {.add_special = false, .parse_special = true};

class BpeTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  }
};

// Tokens a b Ġ ab Ġab <|begin_of_text|> <|end_of_text|> <|eot_id|> <tool>, merges "a b", "Ġ ab".
TEST_F(BpeTokenizer, MergesByRank) {
  const Tokenizer tokenizer(test::read_json(test::small_bpe_json(), test::small_bpe_config()));
  EXPECT_EQ(tokenizer.encode("ab", kPlain), (Ids{3}));
  EXPECT_EQ(tokenizer.encode("ab ab", kPlain), (Ids{3, 4}));
  EXPECT_EQ(tokenizer.encode("abba", kPlain), (Ids{3, 1, 0}));
  EXPECT_EQ(tokenizer.encode("", kPlain), Ids{});
  EXPECT_EQ(tokenizer.decode(Ids{3, 4, 0}), "ab aba");
}

TEST_F(BpeTokenizer, SpecialTokens) {
  const Tokenizer tokenizer(test::read_json(test::small_bpe_json(), test::small_bpe_config()));
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{5, 3}));
  EXPECT_EQ(tokenizer.encode(""), (Ids{5}));
  EXPECT_EQ(tokenizer.encode("ab<|eot_id|>ab", kSpecial), (Ids{3, 7, 3}));
  // Text of a control token is text, and this vocabulary has no '<'.
  test::expect_error<InvalidArgument>([&] { tokenizer.encode("ab<|eot_id|>ab", kPlain); },
                                      {"text", "0x3C"});
  EXPECT_EQ(tokenizer.decode(Ids{5, 3, 7}), "ab");
  EXPECT_EQ(tokenizer.decode(Ids{5, 3, 7}, true), "<|begin_of_text|>ab<|eot_id|>");
  EXPECT_TRUE(tokenizer.is_special(7));
  EXPECT_FALSE(tokenizer.is_special(8));
  EXPECT_EQ(tokenizer.token_bytes(7), "<|eot_id|>");
  EXPECT_EQ(tokenizer.token_bytes(4), " ab");
}

TEST_F(BpeTokenizer, AnswersAboutItself) {
  const Tokenizer tokenizer(test::read_json(test::small_bpe_json(), test::small_bpe_config()),
                            Ids{8});
  EXPECT_EQ(tokenizer.vocab_size(), 9U);
  EXPECT_EQ(tokenizer.bos(), 5U);
  EXPECT_EQ(tokenizer.eos(), 6U);
  EXPECT_EQ(tokenizer.eot(), 7U);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.find("<|eot_id|>"), 7U);
  EXPECT_EQ(tokenizer.find("\u0120ab"), 4U);
  EXPECT_EQ(tokenizer.find(" ab"), std::nullopt);
  ASSERT_NE(tokenizer.chat_template(), nullptr);
  EXPECT_EQ(*tokenizer.chat_template(), "D");
  for (TokenId id = 0; id < 9; ++id) {
    EXPECT_EQ(tokenizer.is_end_of_generation(id), id >= 6) << id;
  }
}

TEST_F(BpeTokenizer, RefusesIdsBeyondTheVocabulary) {
  const TokenizerData data = test::read_json(test::small_bpe_json());
  const Tokenizer tokenizer(data);
  const std::vector<std::string> words = {"token id", "less than 9", "found 9"};
  test::expect_error<InvalidArgument>([&] { tokenizer.decode(Ids{0, 9}); }, words);
  test::expect_error<InvalidArgument>([&] { tokenizer.token_bytes(9); }, words);
  test::expect_error<InvalidArgument>([&] { tokenizer.is_special(9); }, words);
  test::expect_error<InvalidArgument>([&] { Detokenizer(tokenizer).add(9); }, words);
  test::expect_error<InvalidArgument>([&] { Tokenizer(data, Ids{9}); }, words);
}

TEST_F(BpeTokenizer, UnknownPreTokenizersAreNamed) {
  TokenizerData data = test::read_json(test::small_bpe_json());
  data.pre = "deepseek-llm";
  test::expect_error<UnsupportedError>([&] { Tokenizer{data}; },
                                       {"deepseek-llm", "llama-bpe", "qwen2"});
}

TEST_F(BpeTokenizer, IgnoreMergesTakesWholePieces) {
  TokenizerData data = test::byte_vocabulary({"abc", "ab", "bc"});
  data.merges = {"b c", "a b"};
  data.ignore_merges = false;
  const TokenId abc = 256, ab = 257, bc = 258;
  EXPECT_EQ(Tokenizer(data).encode("abc", kPlain), (Ids{test::byte_token('a'), bc}));
  EXPECT_EQ(Tokenizer(data).encode("ab", kPlain), (Ids{ab}));
  data.ignore_merges = true;
  EXPECT_EQ(Tokenizer(data).encode("abc", kPlain), (Ids{abc}));
}

TEST_F(BpeTokenizer, EqualRanksGoLeftFirst) {
  TokenizerData data = test::byte_vocabulary({"aa", "aaaa"});
  data.merges = {"a a", "aa aa"};
  const TokenId aa = 256, aaaa = 257, a = test::byte_token('a');
  const Tokenizer tokenizer(data);
  EXPECT_EQ(tokenizer.encode("aaa", kPlain), (Ids{aa, a}));
  EXPECT_EQ(tokenizer.encode("aaaaaaa", kPlain), (Ids{aaaa, aa, a}));
}

TEST_F(BpeTokenizer, SpaceInFrontWhereTheModelSaysSo) {
  TokenizerData data = test::byte_vocabulary({});
  data.add_space_prefix = true;
  const Ids expected = {test::byte_token(' '), test::byte_token('a')};
  EXPECT_EQ(Tokenizer(data).encode("a", kPlain), expected);
  EXPECT_EQ(Tokenizer(data).encode(" a", kPlain), expected);
}

TEST_F(BpeTokenizer, NfcWhereTheModelSaysSo) {
  TokenizerData data = test::byte_vocabulary({});
  EXPECT_EQ(Tokenizer(data).decode(Tokenizer(data).encode("e\u0301")), "e\u0301");
  data.nfc = true;
  EXPECT_EQ(Tokenizer(data).decode(Tokenizer(data).encode("e\u0301 \xff\u0301")),
            "\u00e9 \xff\u0301");
}

TEST_F(BpeTokenizer, EosBehindWhereTheModelSaysSo) {
  TokenizerData data = test::read_json(test::small_bpe_json(), test::small_bpe_config());
  data.add_eos = true;
  data.add_bos = false;
  EXPECT_EQ(Tokenizer(data).encode("a"), (Ids{0, 6}));
}

// Oracle: one thread.
TEST_F(BpeTokenizer, ManyThreadsAtOnce) {
  const Tokenizer tokenizer(test::byte_vocabulary({}));
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "word " + std::to_string(i) + "\n";
  const Ids expected = tokenizer.encode(text);
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  for (Ids& ids : found) {
    threads.emplace_back([&ids, &text, copy = tokenizer] { ids = copy.encode(text); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, expected);
}

// Tokens <unk> <s> </s> <0x0A> ▁a ab ▁ab ▁ a b, merges "▁ a", "a b", "▁a b", "▁ ab".
TEST(SentencePieceTokenizer, MergesByScore) {
  const Tokenizer tokenizer(test::read_json(test::small_spm_json()));
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{1, 6}));
  EXPECT_EQ(tokenizer.encode("ab", kPlain), (Ids{6}));
  EXPECT_EQ(tokenizer.encode("b ab", kPlain), (Ids{7, 9, 6}));
  EXPECT_EQ(tokenizer.encode("", kPlain), Ids{});
  EXPECT_EQ(tokenizer.encode(" a", kPlain), (Ids{7, 4}));
}

TEST(SentencePieceTokenizer, UnknownCharactersBecomeBytesOrUnknown) {
  const Tokenizer tokenizer(test::read_json(test::small_spm_json()));
  EXPECT_EQ(tokenizer.encode("a\nb", kPlain), (Ids{4, 3, 9})) << "U+000A has a byte token";
  EXPECT_EQ(tokenizer.encode("acdb", kPlain), (Ids{4, 0, 9})) << "one for several in a row";
  EXPECT_EQ(tokenizer.encode("\u00e9", kPlain), (Ids{7, 0}));
  EXPECT_EQ(tokenizer.encode("\xff", kPlain), (Ids{7, 0}));
  TokenizerData data = test::read_json(test::small_spm_json());
  data.unknown.reset();
  test::expect_error<InvalidArgument>([&] { Tokenizer(data).encode("ac"); }, {"'c'"});
}

TEST(SentencePieceTokenizer, DecodesWithoutTheSpaceInFront) {
  const Tokenizer tokenizer(test::read_json(test::small_spm_json()));
  EXPECT_EQ(tokenizer.decode(Ids{1, 6, 6, 3, 2}), "ab ab\n");
  EXPECT_EQ(tokenizer.decode(Ids{7, 4}), " a") << "only one space is the model's";
  EXPECT_EQ(tokenizer.decode(Ids{9, 6}), "b ab");
  EXPECT_EQ(tokenizer.token_bytes(6), " ab");
  EXPECT_EQ(tokenizer.decode(Ids{1, 6}, true), "<s> ab") << "as Hugging Face shows it";
  TokenizerData data = test::read_json(test::small_spm_json());
  data.add_space_prefix = false;
  EXPECT_EQ(Tokenizer(data).decode(Ids{6}), " ab");
  EXPECT_EQ(Tokenizer(data).encode("ab", kPlain), (Ids{5}));
}

TEST(SentencePieceTokenizer, EveryPartBetweenTokensGetsItsSpace) {
  const Tokenizer tokenizer(test::read_json(test::small_spm_json()));
  EXPECT_EQ(tokenizer.encode("ab</s>ab", kSpecial), (Ids{6, 2, 6}));
}

// Scores decide, whatever the order of ids; of equal ones the leftmost goes first.
TEST(SentencePieceTokenizer, ScoresOfAFileDecide) {
  TokenizerData data;
  data.model = TokenizerModel::sentencepiece_bpe;
  data.tokens = {"<unk>", "a", "b", "c", "ab", "bc"};
  data.types.assign(6, TokenType::normal);
  data.types[0] = TokenType::unknown;
  data.unknown = 0;
  data.add_space_prefix = false;
  data.scores = {0, -9, -9, -9, -2, -1};
  EXPECT_EQ(Tokenizer(data).encode("abc", kPlain), (Ids{1, 5}));
  data.scores = {0, -9, -9, -9, -1, -2};
  EXPECT_EQ(Tokenizer(data).encode("abc", kPlain), (Ids{4, 3}));
  data.scores = {0, -9, -9, -9, -1, -1};
  EXPECT_EQ(Tokenizer(data).encode("abc", kPlain), (Ids{4, 3}));
}

}  // namespace
}  // namespace bitnet
