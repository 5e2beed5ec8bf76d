// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/tiny_model.h"
#include "run_program.h"

namespace bitnet {
namespace {

std::string golden_model(const std::string& name) { return BITNET_GOLDEN_DIR "/models/" + name; }

nlohmann::json inspect(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"inspect", "--json"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const ProgramResult result = run_program(words);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return nlohmann::json::parse(result.out);
}

nlohmann::json find_tensor(const nlohmann::json& report, const std::string& name) {
  for (const nlohmann::json& tensor : report["tensors"]) {
    if (tensor["name"] == name) {
      return tensor;
    }
  }
  ADD_FAILURE() << "no tensor " << name;
  return nullptr;
}

// Oracle: config.json and the header of the golden file, read by eye.
TEST(InspectCommand, ShowsSafetensors) {
  const nlohmann::json report = inspect({golden_model("bitnet-2b4t/latent")});
  EXPECT_EQ(report["format"], "safetensors");
  EXPECT_EQ(report["config"]["hidden_size"], 256);
  EXPECT_EQ(report["metadata"]["format"], "pt");
  EXPECT_EQ(report["tensors"].size(), 35U);
  const nlohmann::json down = find_tensor(report, "model.layers.2.mlp.down_proj.weight");
  EXPECT_EQ(down["type"], "BF16");
  EXPECT_EQ(down["shape"], nlohmann::json({256, 768}));
  EXPECT_EQ(down["bytes"], 2 * 256 * 768);
}

// Oracle: the same file's quantization report.
TEST(InspectCommand, ShowsGgufAndItsDistanceFromTheSource) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "out.gguf";
  const std::string source = golden_model("bitnet-2b4t/latent");
  const ProgramResult quantized = run_program({"quantize", source, "-o", file, "--json"});
  ASSERT_EQ(quantized.exit_status, 0) << quantized.err;
  const nlohmann::json made = nlohmann::json::parse(quantized.out);
  const nlohmann::json report = inspect({file, "--source", source});
  EXPECT_EQ(report["format"], "GGUF");
  EXPECT_EQ(report["metadata"]["general.architecture"], "bitnet-b1.58");
  EXPECT_EQ(report["tensors"].size(), made["tensors"].size());
  for (const nlohmann::json& expected : made["tensors"]) {
    const nlohmann::json found = find_tensor(report, expected["name"]);
    EXPECT_EQ(found["shape"], expected["shape"]);
    ASSERT_EQ(found.contains("scale"), expected.contains("scale"));
    if (found.contains("scale")) {
      EXPECT_EQ(found["scale"], expected["scale"]);
      EXPECT_EQ(found["sparsity"], expected["sparsity"]);
      EXPECT_EQ(found["sqnr_db"], expected["sqnr_db"]);
      EXPECT_EQ(found["exact"], false);
    }
  }

  const ProgramResult text = run_program({"inspect", file, "--source", source});
  EXPECT_EQ(text.exit_status, 0);
  EXPECT_NE(text.out.find("bitnet-b1.58.rope.freq_base = 500000"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("blk.2.ffn_down.weight"), std::string::npos);
  EXPECT_NE(text.out.find(" dB"), std::string::npos);
}

// Oracle: the contract for bad files.
TEST(InspectCommand, BadFilesAreStatusOne) {
  for (const std::string& path : {std::string("/nonexistent"), std::string(__FILE__)}) {
    const ProgramResult result = run_program({"inspect", path});
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_TRUE(result.err.starts_with("bitnet: error: ")) << result.err;
    EXPECT_NE(result.err.find(path), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace bitnet
