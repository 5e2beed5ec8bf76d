// SPDX-License-Identifier: MIT
// `bitnet run`, `chat`, `perplexity`, `logits`, `embed` and `bench` as a user meets them. Oracles:
// golden data of an independent implementation, the library's own results, the text of --help.
#include <bitnet/embedding.h>
#include <bitnet/generation.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "model/tiny_model.h"
#include "reference/golden_file.h"
#include "run_program.h"
#include "tokenizer/pattern_splitter.h"

namespace bitnet {
namespace {

const std::string kGolden = std::string(BITNET_GOLDEN_DIR) + "/models/";
const std::string kProse = std::string(BITNET_SOURCE_DIR) + "/models/prose-nano";
constexpr const char* kOpening = "It is a truth universally acknowledged";

std::string join(const nlohmann::json& ids) {
  std::string text;
  for (const auto& id : ids) text.append(text.empty() ? "" : ",").append(id.dump());
  return text;
}

/// Numbers behind the header of a .npy file of float32.
std::vector<float> read_npy(const std::filesystem::path& path, const std::string& shape) {
  const std::string bytes = read_bytes(path);
  EXPECT_TRUE(bytes.starts_with("\x93NUMPY")) << path;
  const std::size_t header = 10 + static_cast<unsigned char>(bytes[8]) +
                             256 * static_cast<std::size_t>(static_cast<unsigned char>(bytes[9]));
  EXPECT_EQ(header % 64, 0U);
  EXPECT_NE(bytes.substr(0, header).find("'shape': " + shape), std::string::npos)
      << bytes.substr(0, header);
  std::vector<float> values((bytes.size() - header) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + header, values.size() * sizeof(float));
  return values;
}

TEST(Run, PrintsTheGreedyIdsOfAGoldenModel) {
  const nlohmann::json expected = reference::read_golden_json("models/bitnet-2b4t/expected.json");
  const nlohmann::json& greedy = expected["greedy"]["greedy"];
  const ProgramResult result =
      run_program({"run", "-m", kGolden + "bitnet-2b4t/packed", "--tokens",
                   join(expected["prompts"]["greedy"]), "-n", "48", "--print-ids", "--ignore-eos"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  std::istringstream ids(result.out);
  // The smallest margin of this list is 0.05: two hundred times the bar of a calm prompt.
  for (const auto& id : greedy["tokens"]) {
    int found = -1;
    ids >> found;
    EXPECT_EQ(found, id.get<int>());
  }
  EXPECT_NE(result.err.find("tokens/s"), std::string::npos);
}

class Prose : public testing::Test {
 protected:
  void SetUp() override {
    if (!PatternSplitter::is_available()) GTEST_SKIP() << "this build is without PCRE2";
  }
};

TEST_F(Prose, TextGoesToStandardOutputAndNothingElse) {
  const std::vector<std::string> command = {"run", "-m",     kProse, "-p", kOpening, "-n",
                                            "30",  "--temp", "0.8",  "-s", "11"};
  const ProgramResult result = run_program(command);
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const Checkpoint checkpoint = open_checkpoint(kProse);
  const auto model = load_model(checkpoint, Runtime::serial());
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  GenerationConfig config = load_generation_config(checkpoint);
  EXPECT_EQ(config.top_p, 0.95F);
  config.max_new_tokens = 30;
  config.temperature = 0.8F;
  config.seed = 11;
  EXPECT_EQ(result.out, Session(*model, &tokenizer).generate(kOpening, config).text + "\n");

  std::vector<std::string> with_prompt = command;
  with_prompt.emplace_back("--display-prompt");
  EXPECT_EQ(run_program(with_prompt).out, kOpening + result.out);
  std::vector<std::string> as_json = command;
  as_json.emplace_back("--json");
  EXPECT_EQ(nlohmann::json::parse(run_program(as_json).out)["text"].get<std::string>() + "\n",
            result.out);
}

TEST_F(Prose, SameTextForAnyThreadsAndInstructionSet) {
  const std::vector<std::string> command = {"run", "-m",     kProse, "-p",      kOpening, "-n",
                                            "20",  "--temp", "1",    "--top-p", "0.9"};
  const std::string expected = run_program(command, {{"BITNET_ISA", "scalar"}}).out;
  std::vector<std::string> threads = command;
  threads.insert(threads.end(), {"-t", "1"});
  EXPECT_EQ(run_program(command).out, expected);
  EXPECT_EQ(run_program(threads).out, expected);
}

TEST_F(Prose, ChatAnswersSavesAndObeys) {
  const TemporaryFolder folder;
  const std::string saved = folder.path() / "saved.txt";
  const ProgramResult result =
      run_program({"chat", "-m", kProse, "--chat-template", "chatml", "-n", "12", "--temp", "0.9"},
                  {}, "Hello\n/regen\n/save " + saved + "\n/nonsense\n/clear\n/exit\nnever\n");
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_NE(result.err.find("/regen"), std::string::npos);  // the list of commands
  const std::string text = read_bytes(saved);
  EXPECT_TRUE(text.starts_with("user: Hello\n\nassistant: ")) << text;
  // The answer that was saved is the second one.
  EXPECT_NE(result.out.find(text.substr(25, 10)), std::string::npos);
}

TEST_F(Prose, ChatWithoutAKnownTemplateNamesThem) {
  const ProgramResult result = run_program({"chat", "-m", kProse});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.err.find("--chat-template"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("chatml"), std::string::npos) << result.err;
}

TEST(Perplexity, HasTheDocumentedKeys) {
  const nlohmann::json expected = reference::read_golden_json("models/bitnet-odd/expected.json");
  const TemporaryFolder folder;
  const std::string file = folder.path() / "ids.txt";
  std::ofstream(file) << expected["perplexity"]["tokens"].dump();
  const ProgramResult result =
      run_program({"perplexity", "-m", kGolden + "bitnet-odd/packed", "--tokens-file", file, "-c",
                   "128", "--method", "second-half", "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const nlohmann::json json = nlohmann::json::parse(result.out);
  for (const char* key :
       {"perplexity", "stderr", "nll", "tokens", "bytes", "bits_per_byte", "n_ctx", "method"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["tokens"], 252);
  EXPECT_EQ(json["method"], "second-half");
  EXPECT_NEAR(json["perplexity"].get<double>(), 11.86613, 11.86613 * 0.00018);
}

TEST(Logits, AreAnArrayOfAllPositions) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "logits.npy";
  const nlohmann::json expected = reference::read_golden_json("models/onebitllm/expected.json");
  const ProgramResult result =
      run_program({"logits", "-m", kGolden + "onebitllm/latent", "--tokens",
                   join(expected["prompts"]["len7"]), "-o", file});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const std::vector<float> wanted =
      reference::GoldenFile("models/onebitllm/expected.safetensors").at("len7/logits").floats();
  const std::vector<float> found =
      read_npy(file, std::string("(7, ").append(std::to_string(wanted.size() / 7)).append(")"));
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], wanted[i], expected["tolerance"]["len7"]["max_abs"].get<double>());
  }
}

TEST(Embed, IsTheGoldenVector) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "e.npy";
  const nlohmann::json expected =
      reference::read_golden_json("models/bitnet-embedding/expected.json");
  const ProgramResult result =
      run_program({"embed", "-m", kGolden + "bitnet-embedding/latent", "--tokens",
                   join(expected["prompts"]["len64"]), "-o", file});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const std::vector<float> wanted =
      reference::GoldenFile("models/bitnet-embedding/expected.safetensors")
          .at("len64/embedding")
          .floats();
  const std::vector<float> found =
      read_npy(file, std::string("(").append(std::to_string(wanted.size())).append(",)"));
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], wanted[i], 1.1e-5);
  }
}

TEST(Bench, MeasuresAModel) {
  const ProgramResult result = run_program({"bench", "-m", kGolden + "bitnet-odd/packed", "-p", "8",
                                            "-n", "4", "-r", "1", "-t", "1", "-o", "json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const nlohmann::json json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json["tests"].size(), 2U);
  EXPECT_EQ(json["tests"][0]["test"], "pp8");
  EXPECT_EQ(json["tests"][1]["test"], "tg4");
  EXPECT_GT(json["tests"][1]["tokens_per_s"].get<double>(), 0);
  EXPECT_GT(json["bytes_per_token"].get<std::size_t>(), 0U);
}

TEST(RunErrors, SayWhatIsMissing) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"run", "-m", "/nonexistent", "-p", "x"}, "/nonexistent"},
      {{"run", "-m", kGolden + "bitnet-odd/packed", "-p", "x"}, "--tokens"},
      {{"run", "-m", kGolden + "bitnet-odd/packed", "--tokens", "1,x"}, "found 'x'"},
      {{"run", "-m", kGolden + "bitnet-odd/packed", "--tokens", "99999"}, "99999"},
      {{"run", "-m", kGolden + "bitnet-embedding/latent", "--tokens", "1"}, "embedding model"},
      {{"run", "-m", kGolden + "bitnet-odd/packed", "--tokens", "1", "--temp", "-1"},
       "temperature"},
      {{"perplexity", "-m", kGolden + "bitnet-odd/packed", "--tokens", "1,2"}, "window"},
      {{"logits", "-m", kGolden + "bitnet-odd/packed", "--tokens", "1", "-o", "/nonexistent/x"},
       "/nonexistent/x"}};
  for (const auto& [arguments, words] : cases) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_status, 1) << words;
    EXPECT_NE(result.err.find("bitnet: error: "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace bitnet
