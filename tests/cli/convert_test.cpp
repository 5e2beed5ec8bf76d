// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/tiny_model.h"
#include "run_program.h"

namespace bitnet {
namespace {

const std::string kProse = BITNET_SOURCE_DIR "/models/prose-nano";

// Oracle: the file itself, after a way through both other formats.
TEST(ConvertCommand, ThereAndBackIsTheSameFile) {
  const TemporaryFolder folder;
  const std::string first = folder.path() / "first.gguf";
  const std::string hugging_face = folder.path() / "hf";
  const std::string tq1 = folder.path() / "tq1.gguf";
  const std::string last = folder.path() / "last.gguf";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"convert", kProse, "-o", first},
        {"convert", first, "-o", hugging_face, "--to", "safetensors"},
        {"convert", hugging_face, "-o", tq1, "--type", "TQ1_0"},
        {"convert", tq1, "-o", last, "--type", "i2_s"}}) {
    const ProgramResult result = run_program(arguments);
    ASSERT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(result.err, "");
  }
  EXPECT_TRUE(read_bytes(first) == read_bytes(last));
  EXPECT_TRUE(read_bytes(std::filesystem::path(hugging_face) / "tokenizer.json").size() > 100000);
}

// Oracle: the facts of docs/formats.md.
TEST(ConvertCommand, SaysWhoLoadsTheResult) {
  const TemporaryFolder folder;
  const ProgramResult result = run_program(
      {"convert", kProse, "-o", folder.path() / "a.gguf", "--for", "llama.cpp", "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const nlohmann::json report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["architecture"], "bitnet");
  ASSERT_EQ(report["loaders"].size(), 3U);
  EXPECT_EQ(report["loaders"][0]["program"], "llama.cpp");
  EXPECT_EQ(report["loaders"][0]["verdict"], "computes_wrong_results");
  EXPECT_EQ(report["loaders"][2]["verdict"], "refuses");
}

// Oracle: the folder, which must look as before, and the words that name what is wrong.
TEST(ConvertCommand, RefusalsNameTheReasonAndLeaveNoFile) {
  const TemporaryFolder folder;
  const std::string output = folder.path() / "out.gguf";
  std::ofstream(folder.path() / "text.gguf") << "this is no checkpoint";
  const struct {
    std::vector<std::string> arguments;
    int status;
    const char* message;
  } cases[] = {
      {{kProse, "-o", output, "--type", "tq2_0", "--scales", "block"}, 1, "F16"},
      {{kProse, "-o", output, "--type", "packed"}, 1, "matrix encoding"},
      {{kProse, "-o", output, "--arch", "llama"}, 1, "architecture"},
      {{folder.path() / "text.gguf", "-o", output}, 1, "'GGUF' at byte 0"},
      {{kProse, "-o", output, "--type", "tl2"}, 2, "--type"},
      {{kProse}, 2, "--output"},
  };
  for (const auto& c : cases) {
    std::vector<std::string> arguments = {"convert"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_status, c.status) << result.err;
    EXPECT_TRUE(result.err.starts_with("bitnet: error: ")) << result.err;
    EXPECT_NE(result.err.find(c.message), std::string::npos) << result.err;
    EXPECT_EQ(folder.file_count(), 1U);  // the text
  }
}

// Oracle: what the test broke in a sound file.
TEST(VerifyCommand, StatusTellsScriptsWhetherTheFileIsSound) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "a.gguf";
  ASSERT_EQ(run_program({"quantize", kProse, "-o", file}).exit_status, 0);
  EXPECT_EQ(run_program({"verify", file, "--strict"}).exit_status, 0);

  // Codes of 3 in the middle of the file, where ternary matrices lie.
  std::string bytes = read_bytes(file);
  bytes.replace(bytes.size() - 30000, 64, std::string(64, '\xff'));
  std::ofstream(file, std::ios::binary) << bytes;
  const ProgramResult broken = run_program({"verify", file, "--json"});
  EXPECT_EQ(broken.exit_status, 1);
  const nlohmann::json report = nlohmann::json::parse(broken.out);
  EXPECT_EQ(report["ok"], false);
  EXPECT_EQ(report["findings"].back()["check"], "code-3");

  std::ofstream(file, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  const ProgramResult cut = run_program({"verify", file});
  EXPECT_EQ(cut.exit_status, 1);
  EXPECT_TRUE(cut.out.starts_with("error: ")) << cut.out;
  EXPECT_EQ(run_program({"verify", folder.path() / "missing"}).exit_status, 1);
}

}  // namespace
}  // namespace bitnet
