// SPDX-License-Identifier: MIT
// Oracles: tests/golden/models, by an independent implementation, with its tolerances; for text,
// the C++ API; for errors, the header's words. All calls are made from C (c_calls.c).
#include <bitnet/c_api.h>
#include <bitnet/generation.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "c_calls.h"
#include "reference/golden_file.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

using Ids = std::vector<TokenId>;

const std::string kPacked = BITNET_GOLDEN_DIR "/models/bitnet-2b4t/packed";
const std::string kEmbedding = BITNET_GOLDEN_DIR "/models/bitnet-embedding/latent";
const std::string kProse = BITNET_SOURCE_DIR "/models/prose-nano";

/// What a check in C returned.
void expect_right(const char* wrong) { EXPECT_EQ(wrong, nullptr) << wrong; }

class CApi : public testing::Test {
 protected:
  Ids prompt(const std::string& key) const { return expected["prompts"][key].get<Ids>(); }
  Ids greedy(const std::string& key) const { return expected["greedy"][key]["tokens"].get<Ids>(); }

  nlohmann::json expected = reference::read_golden_json("models/bitnet-2b4t/expected.json");
};

TEST_F(CApi, VersionIsThatOfTheProject) { EXPECT_STREQ(bitnet_version(), BITNET_PROJECT_VERSION); }

TEST_F(CApi, GreedyTokensAreTheGoldenOnes) {
  const Ids ids = prompt("len7");
  const Ids wanted = greedy("len7");
  expect_right(check_greedy(kPacked.c_str(), ids.data(), ids.size(), wanted.data(), wanted.size()));
}

TEST_F(CApi, StopsWhereItIsTold) {
  const Ids ids = prompt("len7");
  expect_right(check_stops(kPacked.c_str(), ids.data(), ids.size(), greedy("len7").data()));
}

TEST_F(CApi, SessionsOutliveTheirModel) {
  const Ids ids = prompt("len7");
  expect_right(check_sessions_outlive_models(kPacked.c_str(), ids.data(), ids.size(),
                                             greedy("len7").front()));
}

TEST_F(CApi, LogitsAreTheGoldenOnes) {
  const Ids ids = prompt("len7");
  const std::vector<float> wanted =
      reference::GoldenFile("models/bitnet-2b4t/expected.safetensors").at("len7/logits").floats();
  const double tolerance = expected["tolerance"]["len7"]["tight_max_abs"].get<double>();
  const std::size_t vocabulary = wanted.size() / ids.size();
  for (const std::size_t rows : {std::size_t{1}, std::size_t{3}, ids.size()}) {
    std::vector<float> found(rows * vocabulary);
    expect_right(read_logits(kPacked.c_str(), ids.data(), ids.size(), found.data(), found.size()));
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], wanted[wanted.size() - found.size() + i], tolerance) << i;
    }
  }
}

TEST_F(CApi, EmbeddingsHaveTheGoldenAngle) {
  const auto golden = reference::read_golden_json("models/bitnet-embedding/expected.json");
  const std::size_t width =
      reference::read_golden_json("models/bitnet-embedding/latent/config.json")["hidden_size"];
  std::vector<std::vector<float>> vectors;
  for (const std::string key : {"len7", "len64"}) {
    const Ids ids = golden["prompts"][key].get<Ids>();
    vectors.emplace_back(width);
    expect_right(
        read_embedding(kEmbedding.c_str(), ids.data(), ids.size(), vectors.back().data(), width));
  }
  const double cosine =
      std::inner_product(vectors[0].begin(), vectors[0].end(), vectors[1].begin(), 0.0);
  // Two vectors of length 1, each off by at most the golden error in every element.
  const double tolerance = 2 * std::sqrt(static_cast<double>(width)) *
                           golden["tolerance"]["embedding"]["max_abs"].get<double>();
  EXPECT_NEAR(cosine, golden["cosine"]["matrix"][1][2].get<double>(), tolerance);
}

TEST_F(CApi, TokenizesAsTheCppApi) {
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  const std::string text = "It was the best of times, ni\xc3\xb1o";
  const Tokenizer tokenizer = load_tokenizer(std::filesystem::path(kProse));
  const Ids wanted = tokenizer.encode(text);
  expect_right(check_tokenize(kProse.c_str(), text.c_str(), wanted.data(), wanted.size(),
                              tokenizer.token_bytes(wanted[1]).c_str()));
}

TEST_F(CApi, TextIsThatOfTheCppApi) {
  if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  const Runtime runtime;
  const Checkpoint checkpoint = open_checkpoint(kProse);
  const auto model = load_model(checkpoint, runtime);
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  GenerationConfig config;
  config.max_new_tokens = 24;
  const std::string wanted = Session(*model, &tokenizer).generate("It was", config).text;
  ASSERT_FALSE(wanted.empty());
  expect_right(check_text(kProse.c_str(), "It was", 24, wanted.c_str()));
}

TEST_F(CApi, MissingFile) { expect_right(check_missing_file("/no/such/model.gguf")); }

TEST_F(CApi, LongMessagesEndWithAWholeCharacter) {
  for (const std::size_t lead : {0, 1, 2}) expect_right(check_long_message(lead));
}

TEST_F(CApi, NullArguments) { expect_right(check_null_arguments(kPacked.c_str())); }
TEST_F(CApi, WrongSizes) { expect_right(check_sizes(kPacked.c_str())); }
TEST_F(CApi, OptionStructsOfOtherVersions) { expect_right(check_option_structs(kPacked.c_str())); }
TEST_F(CApi, ModelWithoutTokenizer) { expect_right(check_without_tokenizer(kPacked.c_str())); }

}  // namespace
}  // namespace bitnet
