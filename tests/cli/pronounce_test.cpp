// SPDX-License-Identifier: MIT
// `bitnet run` with a model of models/say-it's kind: the tokenizer puts </s> behind a word, and the
// pronunciation follows up to the next one. Oracles: token ids by hand, from the alphabet in
// models/say-it/DATA.md; one run for each line.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "model/tiny_model.h"
#include "run_program.h"

namespace bitnet {
namespace {

constexpr const char* kColonel = "7,19,16,19,18,9,16";  // c o l o n e l

/// Random weights, so a pronunciation of its own kind.
class Pronounce : public testing::Test {
 protected:
  void SetUp() override {
    constexpr std::size_t kVocabulary = 160;
    constexpr std::size_t kWidth = 32;
    TinyModel model(kWidth, 64);
    model.config["vocab_size"] = kVocabulary;
    model.config["eos_token_id"] = 1;
    std::mt19937 random(11);
    std::vector<float> embedding(kVocabulary * kWidth);
    for (float& x : embedding) x = static_cast<float>(random() % 2001) / 1000.0F - 1;
    model.set_floats("model.embed_tokens.weight", {kVocabulary, kWidth}, embedding);
    model.write(folder_.path());
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
      std::filesystem::copy(std::string(BITNET_SOURCE_DIR "/models/say-it/") + name,
                            folder_.path() / name);
    }
  }

  ProgramResult run(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin(), {"run", "-m", folder_.path(), "-n", "12"});
    return run_program(arguments, {}, input);
  }

  nlohmann::json run_json(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const ProgramResult result = run(std::move(arguments));
    EXPECT_EQ(result.exit_status, 0) << result.err;
    return nlohmann::json::parse(result.out);
  }

  void write_generation_config(const std::string& text) const {
    std::ofstream(folder_.path() / "generation_config.json") << text;
  }

  TemporaryFolder folder_;
};

TEST_F(Pronounce, TheWordMayStandAlone) {
  const ProgramResult result = run({"colonel"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, run({"-p", "colonel"}).out);
  EXPECT_EQ(run({"colonel", "-p", "colonel"}).exit_status, 2);
  EXPECT_EQ(run({"colonel", "--lines", "-"}).exit_status, 2);
  EXPECT_EQ(run({"two", "words"}).exit_status, 2);
}

TEST_F(Pronounce, GenerationStartsBehindTheEndOfTheWord) {
  const std::string letters = kColonel;
  const nlohmann::json word = run_json({"colonel"});
  EXPECT_EQ(word["prompt_tokens"], 8);
  EXPECT_EQ(word["tokens"], run_json({"--tokens", letters + ",1"})["tokens"]);
  const nlohmann::json open = run_json({"colonel", "--no-bos"});
  EXPECT_EQ(open["prompt_tokens"], 7);
  EXPECT_EQ(open["tokens"], run_json({"--tokens", letters})["tokens"]);
  EXPECT_NE(open["tokens"], word["tokens"]);
}

TEST_F(Pronounce, GenerationEndsAtTheNextEnd) {
  const nlohmann::json at_once = run_json({"colonel", "--logit-bias", "1+100000"});
  EXPECT_EQ(at_once["tokens"], nlohmann::json({1}));
  EXPECT_EQ(at_once["text"], "");
  EXPECT_EQ(at_once["finish"], "end_token");
  const nlohmann::json never = run_json({"colonel", "--logit-bias", "1-inf"});
  EXPECT_EQ(never["tokens"].size(), 12U);
  EXPECT_EQ(never["finish"], "length");
}

TEST_F(Pronounce, TheModelsSamplingHoldsUnlessFlagsSayOtherwise) {
  const std::string greedy = run({"colonel"}).out;
  const std::string sampled = run({"colonel", "--temp", "5", "--top-k", "40"}).out;
  const std::string hot = run({"colonel", "--temp", "50", "--top-k", "40"}).out;
  ASSERT_NE(greedy, sampled);
  ASSERT_NE(sampled, hot);
  write_generation_config(R"({"do_sample": true, "temperature": 5.0, "top_k": 40})");
  EXPECT_EQ(run({"colonel"}).out, sampled);
  EXPECT_EQ(run({"colonel", "--temp", "0"}).out, greedy);
  EXPECT_EQ(run({"colonel", "--temp", "50"}).out, hot);
  EXPECT_EQ(run({"colonel", "--top-k", "1"}).out, greedy);
  write_generation_config(R"({"do_sample": false, "temperature": 5.0, "top_k": 40})");
  EXPECT_EQ(run({"colonel"}).out, greedy);
  EXPECT_EQ(run({"colonel", "--temp", "5"}).out, sampled);
}

TEST_F(Pronounce, EachLineIsAPromptOfItsOwn) {
  const std::vector<std::string> words = {
      "colonel", "", "a", "o'clock-ish.", "colonel", "", std::string(50, 'z')};
  std::string input;
  std::string expected;
  std::string expected_ids;
  for (const std::string& word : words) {
    input += word + (word == "a" ? "\r\n" : "\n");
    expected += word + '\t' + run({"-p", word}).out;
    expected_ids += word + '\t' + run({"-p", word, "--print-ids"}).out;
  }
  for (const char* parallel : {"1", "3", "64"}) {
    const ProgramResult result = run({"--lines", "-", "--parallel", parallel}, input);
    EXPECT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(result.out, expected);
  }
  input.pop_back();  // the last line needs no end
  EXPECT_EQ(run({"--lines", "-", "--print-ids"}, input).out, expected_ids);
  const std::string file = folder_.path() / "words.txt";
  std::ofstream(file) << input;
  EXPECT_EQ(run({"--lines", file}).out, expected);
  EXPECT_EQ(run({"--lines", "-"}).out, "");
}

TEST_F(Pronounce, LinesAsJson) {
  const ProgramResult result = run({"--lines", "-", "--json"}, "colonel\nab\n");
  ASSERT_EQ(result.exit_status, 0) << result.err;
  std::istringstream lines(result.out);
  for (const char* word : {"colonel", "ab"}) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    const nlohmann::json found = nlohmann::json::parse(line);
    const nlohmann::json alone = run_json({word});
    EXPECT_EQ(found["prompt"], word);
    EXPECT_EQ(found["completion"], alone["text"]);
    EXPECT_EQ(found["tokens"], alone["tokens"]);
    EXPECT_EQ(found["finish"], alone["finish"]);
  }
}

TEST_F(Pronounce, WhatWouldBreakALineIsEscaped) {
  const ProgramResult result =
      run_program({"run", "-m", folder_.path(), "--lines", "-", "-n", "0"}, {}, "a\tb\\c\rd\n");
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "a\\tb\\\\c\\rd\t\n");
}

TEST_F(Pronounce, ALineThatDoesNotFitIsNamed) {
  const ProgramResult result = run({"--lines", "-"}, "a\n" + std::string(64, 'z') + "\n");
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("prompt 2 of 2"), std::string::npos) << result.err;
  EXPECT_EQ(run({"--lines", "/nonexistent"}).exit_status, 1);
  EXPECT_EQ(run({"--parallel", "2", "a"}).exit_status, 2);
}

}  // namespace
}  // namespace bitnet
