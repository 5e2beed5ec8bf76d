// SPDX-License-Identifier: MIT
// Oracle: tokenizers written down by hand, with what they mean stated beside them; and round trips,
// which must give the same data.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/hostile_bytes.h"
#include "tokenizer/small_tokenizers.h"
#include "tokenizer/tokenizer_folder.h"

namespace bitnet {
namespace {

using test::expect_error;
using test::read_json;
using test::replaced;
using test::small_bpe_config;
using test::small_bpe_json;
using test::small_spm_json;
using Strings = std::vector<std::string>;

void expect_same(const TokenizerData& a, const TokenizerData& b) {
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.scores, b.scores);
  EXPECT_EQ(a.types, b.types);
  EXPECT_EQ(a.merges, b.merges);
  EXPECT_EQ(a.added, b.added);
  EXPECT_EQ(a.pre, b.pre);
  EXPECT_EQ(a.bos, b.bos);
  EXPECT_EQ(a.eos, b.eos);
  EXPECT_EQ(a.eot, b.eot);
  EXPECT_EQ(a.eom, b.eom);
  EXPECT_EQ(a.unknown, b.unknown);
  EXPECT_EQ(a.padding, b.padding);
  EXPECT_EQ(a.add_bos, b.add_bos);
  EXPECT_EQ(a.add_eos, b.add_eos);
  EXPECT_EQ(a.add_space_prefix, b.add_space_prefix);
  EXPECT_EQ(a.ignore_merges, b.ignore_merges);
  EXPECT_EQ(a.nfc, b.nfc);
  EXPECT_EQ(a.chat_template, b.chat_template);
}

TEST(HuggingFace, ReadsByteLevelBpe) {
  const TokenizerData data = read_json(small_bpe_json(), small_bpe_config());
  EXPECT_EQ(data.model, TokenizerModel::byte_level_bpe);
  EXPECT_EQ(data.tokens, (Strings{"a", "b", "\u0120", "ab", "\u0120ab", "<|begin_of_text|>",
                                  "<|end_of_text|>", "<|eot_id|>", "<tool>"}));
  using enum TokenType;
  EXPECT_EQ(data.types, (std::vector{normal, normal, normal, normal, normal, control, control,
                                     control, user_defined}));
  EXPECT_EQ(data.merges, (Strings{"a b", "\u0120 ab"}));
  EXPECT_TRUE(data.scores.empty());
  EXPECT_EQ(data.pre, "llama-bpe");
  EXPECT_TRUE(data.ignore_merges);
  EXPECT_EQ(data.bos, 5U);
  EXPECT_EQ(data.eos, 6U);
  EXPECT_EQ(data.eot, 7U);
  EXPECT_EQ(data.padding, std::nullopt);
  EXPECT_EQ(data.add_bos, true);
  EXPECT_EQ(data.add_eos, std::nullopt);
  EXPECT_EQ(data.add_space_prefix, std::nullopt);
  EXPECT_EQ(data.chat_template, "D");
  ASSERT_EQ(data.added.size(), 4U);
  EXPECT_EQ(data.added[3], (AddedToken{8, false, true, true, true, true}));
}

TEST(HuggingFace, ReadsSentencePieceBpe) {
  const TokenizerData data = read_json(small_spm_json());
  EXPECT_EQ(data.model, TokenizerModel::sentencepiece_bpe);
  using enum TokenType;
  EXPECT_EQ(data.types, (std::vector{unknown, control, control, byte, normal, normal, normal,
                                     normal, normal, normal}));
  // The normal tokens 4..9 count down; the merges follow from that.
  EXPECT_EQ(data.scores, (std::vector<float>{0, 0, 0, 0, 0, -1, -2, -3, -4, -5}));
  EXPECT_TRUE(data.merges.empty());
  EXPECT_EQ(data.pre, "default");
  EXPECT_EQ(data.add_space_prefix, true);
  EXPECT_EQ(data.unknown, 0U);
  EXPECT_EQ(data.bos, 1U);
  EXPECT_EQ(data.add_bos, true);
}

TEST(HuggingFace, ScoresFollowTheRanksOfMerges) {
  // ab is ranked before ▁a although its id is higher.
  const std::string json = replaced(small_spm_json(), R"(["▁ a","a b","▁a b","▁ ab"])",
                                    R"(["a b","▁ a","▁a b","▁ ab"])");
  const TokenizerData data = read_json(json);
  EXPECT_GT(data.scores[5], data.scores[4]);
  EXPECT_GT(data.scores[4], data.scores[6]);
  EXPECT_TRUE(data.merges.empty());
  // Without "▁ ab" no scores give these merges: they are kept.
  const std::string fewer = replaced(small_spm_json(), R"(,"▁ ab"])", "]");
  EXPECT_EQ(read_json(fewer).merges, (Strings{"▁ a", "a b", "▁a b"}));
}

TEST(HuggingFace, MetaspaceIsTheSameAsPrependAndReplace) {
  const std::string normalizer =
      R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
{"type":"Replace","pattern":{"String":" "},"content":"▁"}]})";
  const auto with = [&](const std::string& scheme) {
    const std::string json = replaced(small_spm_json(), normalizer, "null");
    return read_json(
        replaced(json, R"("pre_tokenizer":null)",
                 R"("pre_tokenizer":{"type":"Metaspace","replacement":"▁",)" + scheme + "}"));
  };
  EXPECT_EQ(with(R"("prepend_scheme":"first")").add_space_prefix, true);
  EXPECT_EQ(with(R"("prepend_scheme":"never")").add_space_prefix, false);
  EXPECT_EQ(with(R"("add_prefix_space":false)").add_space_prefix, false);
  expect_error<UnsupportedError>([&] { read_json(replaced(small_spm_json(), normalizer, "null")); },
                                 {"U+2581"});
}

TEST(HuggingFace, GapsAreFilledUpToTheVocabulary) {
  const std::string json = replaced(small_bpe_json(), R"("ab":3)", R"("ab":10)");
  const TokenizerData data = read_json(json, "", {.vocab_size = 13});
  ASSERT_EQ(data.tokens.size(), 13U);
  for (const std::size_t id : {3U, 9U, 11U, 12U}) {
    EXPECT_EQ(data.tokens[id], "[PAD" + std::to_string(id) + "]");
    EXPECT_EQ(data.types[id], TokenType::unused);
  }
  EXPECT_EQ(data.tokens[10], "ab");
}

TEST(HuggingFace, HintsFillWhatIsOpen) {
  const TokenizerHints hints = {.bos = 1, .eos = {3, 4}, .padding = 99, .pre = "qwen2"};
  const TokenizerData data = read_json(small_bpe_json(), "", hints);
  EXPECT_EQ(data.bos, 5U) << "the post-processor comes first";
  EXPECT_EQ(data.eos, 3U);
  EXPECT_EQ(data.padding, std::nullopt);
  EXPECT_EQ(data.repairs.size(), 1U);
  EXPECT_EQ(data.pre, "qwen2");
  const TokenizerData named = read_json(small_bpe_json(), R"({"unk_token":"<none>"})");
  EXPECT_EQ(named.unknown, std::nullopt);
  ASSERT_EQ(named.repairs.size(), 1U);
  EXPECT_NE(named.repairs[0].find("<none>"), std::string::npos);
}

TEST(HuggingFace, OtherFilesOfTheFolder) {
  HuggingFaceTexts texts;
  texts.tokenizer_json = small_bpe_json();
  texts.tokenizer_config_json = R"({"add_bos_token":false,"chat_template":"config",
"added_tokens_decoder":{"10":{"content":"<y>","special":true},"9":{"content":"<x>"},
"8":{"content":"<tool>"}}})";
  texts.special_tokens_map_json = R"({"pad_token":"<|end_of_text|>"})";
  texts.added_tokens_json = R"({"<z>":11,"a":0})";
  texts.chat_template = "jinja";
  const TokenizerData data = read_hugging_face(texts, "folder", {});
  EXPECT_EQ(data.add_bos, false) << "tokenizer_config.json overrides the post-processor";
  EXPECT_EQ(data.chat_template, "jinja");
  EXPECT_EQ(data.padding, 6U);
  ASSERT_EQ(data.tokens.size(), 12U);
  EXPECT_EQ(data.tokens[9], "<x>");
  EXPECT_EQ(data.types[9], TokenType::user_defined);
  EXPECT_EQ(data.types[10], TokenType::control);
  EXPECT_EQ(data.tokens[11], "<z>");
}

TEST(HuggingFace, RoundTripsGiveTheSameData) {
  for (const auto& [tokenizer, config] :
       {std::pair(small_bpe_json(), small_bpe_config()), std::pair(small_spm_json(), std::string()),
        std::pair(replaced(small_spm_json(), R"(,"▁ ab"])", "]"), std::string())}) {
    const TokenizerData data = read_json(tokenizer, config);
    const HuggingFaceTexts texts = write_hugging_face(data);
    expect_same(read_hugging_face(texts, "folder", {}), data);
  }
}

TEST(HuggingFace, ProseNano) {
  const std::filesystem::path folder = BITNET_SOURCE_DIR "/models/prose-nano";
  const TokenizerData data = read_tokenizer(folder, {.vocab_size = 4096}).value();
  EXPECT_EQ(data.tokens.size(), 4096U);
  EXPECT_EQ(data.merges.size(), 3837U);
  EXPECT_EQ(data.pre, "gpt-2");
  EXPECT_EQ(data.bos, 0U);
  EXPECT_EQ(data.eos, 1U);
  EXPECT_EQ(data.eot, 2U);
  EXPECT_EQ(data.add_bos, true);
  EXPECT_FALSE(data.ignore_merges);
  const HuggingFaceTexts texts = write_hugging_face(data);
  expect_same(read_hugging_face(texts, folder, {}), data);

  // What a text is cut into depends on these parts alone, so they must be the file's own.
  std::ifstream file(folder / "tokenizer.json");
  const auto original = nlohmann::json::parse(file);
  auto written = nlohmann::json::parse(texts.tokenizer_json);
  for (const char* part : {"added_tokens", "normalizer", "pre_tokenizer", "decoder"}) {
    EXPECT_EQ(written[part], original[part]) << part;
  }
  EXPECT_EQ(written["post_processor"]["single"], original["post_processor"]["single"]);
  EXPECT_EQ(written["post_processor"]["special_tokens"],
            original["post_processor"]["special_tokens"]);
  EXPECT_EQ(written["model"]["merges"], original["model"]["merges"]);
  // The three added tokens stand in the list of added tokens alone.
  EXPECT_EQ(written["model"]["vocab"].size() + 3, original["model"]["vocab"].size());
}

}  // namespace
}  // namespace bitnet
