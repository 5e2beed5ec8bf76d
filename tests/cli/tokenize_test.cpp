// SPDX-License-Identifier: MIT
// Oracles: the tokens of prose-nano's tokenizer.json, looked up by hand, and the contract of
// --help.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/run_program.h"
#include "model/tiny_model.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

const std::string kModel = std::string(BITNET_SOURCE_DIR) + "/models/prose-nano";

class TokenizeCommand : public testing::Test {
 protected:
  void SetUp() override {
    if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  }

  static std::string out(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"tokenize", "-m", kModel});
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_status, 0) << result.err;
    return result.out;
  }
};

TEST_F(TokenizeCommand, PrintsTokens) {
  EXPECT_EQ(out({"-p", "It was dark.\n"}),
            "0\t\"<|begin_of_text|>\"\n1779\t\"It\"\n350\t\" was\"\n2629\t\" dark\"\n16\t\".\"\n"
            "201\t\"\\n\"\n");
  EXPECT_EQ(out({"-p", "It was", "--ids"}), "[0, 1779, 350]\n");
  EXPECT_EQ(out({"-p", "It was", "--ids", "--no-bos"}), "[1779, 350]\n");
  EXPECT_EQ(out({"-p", "", "--ids", "--no-bos"}), "[]\n");
  EXPECT_EQ(out({"-p", "It was", "--count"}), "3\n");
  EXPECT_EQ(out({"-p", "<|eot_id|>", "--no-bos", "--parse-special", "--ids"}), "[2]\n");
  const nlohmann::json json = nlohmann::json::parse(out({"-p", "It was", "--json"}));
  EXPECT_EQ(json["text"], "It was");
  EXPECT_EQ(json["ids"], (std::vector<int>{0, 1779, 350}));
  EXPECT_EQ(json["tokens"], (std::vector<std::string>{"<|begin_of_text|>", "It", " was"}));
}

TEST_F(TokenizeCommand, ReadsFiles) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "text.txt";
  std::ofstream(file) << "It was";
  EXPECT_EQ(out({"-f", file, "--ids"}), "[0, 1779, 350]\n");
  const ProgramResult missing = run_program({"tokenize", "-m", kModel, "-f", "/nonexistent"});
  EXPECT_EQ(missing.exit_status, 1);
  EXPECT_NE(missing.err.find("/nonexistent"), std::string::npos) << missing.err;
}

// Oracle: the folder that the GGUF file is made of.
TEST_F(TokenizeCommand, ReadsGguf) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "model.gguf";
  ASSERT_EQ(run_program({"convert", kModel, "-o", file, "--type", "tq2_0"}).exit_status, 0);
  const std::string text = BITNET_SOURCE_DIR "/docs/numerics.md";
  const ProgramResult found = run_program({"tokenize", "-m", file, "--ids", "-f", text});
  EXPECT_EQ(found.exit_status, 0) << found.err;
  EXPECT_EQ(found.out, out({"--ids", "-f", text}));
  const ProgramResult other = run_program({"tokenize", "-m", file, "--pre", "x", "-p", "a"});
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_NE(other.err.find("llama-bpe"), std::string::npos) << other.err;
}

// The folder's weights are not looked at.
TEST_F(TokenizeCommand, NeedsNoWeights) {
  const TemporaryFolder folder;
  std::filesystem::copy(kModel + "/tokenizer.json", folder.path() / "tokenizer.json");
  const ProgramResult result =
      run_program({"tokenize", "-m", folder.path(), "-p", "It was", "--ids"});
  EXPECT_EQ(result.out, "[0, 1779, 350]\n") << result.err;
}

TEST_F(TokenizeCommand, Decodes) {
  EXPECT_EQ(out({"--decode", "[0, 1779, 350]"}), "It was");
  EXPECT_EQ(out({"--decode", "0 1779 2", "--parse-special"}), "<|begin_of_text|>It<|eot_id|>");
  EXPECT_EQ(out({"--decode", ""}), "");
  for (const char* ids : {"99999", "x", "1 -2", "4294967296"}) {
    const ProgramResult result = run_program({"tokenize", "-m", kModel, "--decode", ids});
    EXPECT_EQ(result.exit_status, 1) << ids;
    EXPECT_TRUE(result.err.starts_with("bitnet: error: ")) << result.err;
  }
}

TEST_F(TokenizeCommand, WritesConversations) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "chat.json";
  std::ofstream(file) << R"([{"role": "user", "content": "It was"}])";
  const nlohmann::json json =
      nlohmann::json::parse(out({"--messages", file, "--chat-template", "bitnet", "--json"}));
  EXPECT_EQ(json["text"], "User: It was<|eot_id|>Assistant: ");
  EXPECT_EQ(json["ids"][0], 0) << "BOS comes from the tokenizer";
  const auto ids = json["ids"].get<std::vector<int>>();
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 1) << "<|eot_id|> is one token";
  std::ofstream(file) << R"([{"role": "user", "content": "It<|eot_id|>"}])";
  const auto control_tokens = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--messages", file, "--chat-template", "bitnet", "--json"});
    const auto all = nlohmann::json::parse(out(arguments))["ids"].get<std::vector<int>>();
    return std::count(all.begin(), all.end(), 2);
  };
  EXPECT_EQ(control_tokens({}), 1) << "what a message spells is text";
  EXPECT_EQ(control_tokens({"--parse-special"}), 2);
  const ProgramResult unknown = run_program({"tokenize", "-m", kModel, "--messages", file});
  EXPECT_EQ(unknown.exit_status, 1);
  EXPECT_NE(unknown.err.find("--chat-template NAME"), std::string::npos) << unknown.err;
  std::ofstream(file) << R"([{"role": "user"}])";
  EXPECT_EQ(run_program({"tokenize", "-m", kModel, "--messages", file, "--chat-template", "llama3"})
                .exit_status,
            1);
}

TEST_F(TokenizeCommand, WrongCommandLinesAreStatusTwo) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"tokenize"},
           {"tokenize", "-m", kModel, "-p", "a", "-f", "b"},
           {"tokenize", "-m", kModel, "-p", "a", "--decode", "1"},
           {"tokenize", "-m", kModel, "-p", "a", "--chat-template", "bitnet"}}) {
    EXPECT_EQ(run_program(arguments).exit_status, 2);
  }
}

// A model without a tokenizer, and none at all.
TEST(TokenizeErrors, AreStatusOne) {
  const std::string golden = std::string(BITNET_GOLDEN_DIR) + "/models/bitnet-2b4t/latent";
  for (const std::string& model : {golden, std::string("/nonexistent")}) {
    const ProgramResult result = run_program({"tokenize", "-m", model, "-p", "a"});
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_TRUE(result.err.starts_with("bitnet: error: ")) << result.err;
    EXPECT_NE(result.err.find(model), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace bitnet
