// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/tiny_model.h"
#include "run_program.h"

namespace bitnet {
namespace {

std::string golden_model(const std::string& name) { return BITNET_GOLDEN_DIR "/models/" + name; }

// Oracle: the file that the library's tests check, made here by another set of kernels.
TEST(QuantizeCommand, BytesDoNotDependOnIsaOrThreads) {
  const TemporaryFolder folder;
  const std::string scalar = folder.path() / "scalar.gguf";
  const std::string best = folder.path() / "best.gguf";
  const std::string model = golden_model("bitnet-2b4t/latent");
  ASSERT_EQ(run_program({"quantize", model, "-o", scalar}, {{"BITNET_ISA", "scalar"}}).exit_status,
            0);
  ASSERT_EQ(run_program({"quantize", model, "-o", best, "-t", "3"}).exit_status, 0);
  EXPECT_TRUE(read_bytes(scalar) == read_bytes(best));
  EXPECT_TRUE(read_bytes(best).starts_with("GGUF"));
}

// Oracle: the convention that only a terminal sees a progress bar.
TEST(QuantizeCommand, SaysWhatItDidAndNothingOnStandardError) {
  const TemporaryFolder folder;
  const std::string output = folder.path() / "out.gguf";
  const ProgramResult result =
      run_program({"quantize", golden_model("llama-ternary/packed"), "-o", output});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_NE(result.out.find("21 ternary matrices"), std::string::npos) << result.out;
  EXPECT_EQ(folder.file_count(), 1U);
}

// Oracle: the golden model's layers, counted by hand.
TEST(QuantizeCommand, JsonReportsEachTensor) {
  const TemporaryFolder folder;
  const std::string output = folder.path() / "out.gguf";
  const ProgramResult result = run_program(
      {"quantize", golden_model("bitnet-2b4t/latent"), "-o", output, "--type", "TQ2_0", "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const nlohmann::json report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["output_bytes"], std::filesystem::file_size(output));
  EXPECT_EQ(report["tensors"].size(), 35U);
  std::size_t ternary = 0;
  for (const nlohmann::json& tensor : report["tensors"]) {
    if (tensor.contains("scale")) {
      ++ternary;
      EXPECT_GT(tensor["scale"], 0.0);
      EXPECT_GT(tensor["sparsity"], 0.0);
      EXPECT_GT(tensor["sqnr_db"], 0.0);
    }
  }
  EXPECT_EQ(ternary, 21U);
}

// Oracle: one .safetensors file is the folder that holds nothing else.
TEST(QuantizeCommand, TakesAFileOrItsFolder) {
  const TemporaryFolder folder;
  const std::string from_folder = folder.path() / "folder.gguf";
  const std::string from_file = folder.path() / "file.gguf";
  const std::string model = golden_model("onebitllm/latent");
  ASSERT_EQ(run_program({"quantize", model, "-o", from_folder}).exit_status, 0);
  ASSERT_EQ(run_program({"quantize", model + "/model.safetensors", "-o", from_file}).exit_status,
            0);
  EXPECT_TRUE(read_bytes(from_folder) == read_bytes(from_file));
}

// Oracle: the folder, which must look as before.
TEST(QuantizeCommand, FailuresAreStatusOneAndLeaveNoFile) {
  const TemporaryFolder folder;
  TinyModel broken(128, 128);
  broken.set_floats("model.layers.0.mlp.up_proj.weight", {128, 128},
                    std::vector<float>(128 * 128, NAN));
  std::filesystem::create_directory(folder.path() / "in");
  broken.write(folder.path() / "in");
  const std::string output = folder.path() / "out.gguf";
  const std::string good = golden_model("bitnet-odd/packed");
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{folder.path() / "in", "-o", output}, "model.layers.0.mlp.up_proj.weight"},
      {{folder.path() / "missing", "-o", output}, "missing"},
      {{good, "-o", folder.path() / "no" / "such" / "out.gguf"}, "no/such"},
      {{good, "-o", output, "--type", "tq1_0"}, "256"},
      {{folder.path() / "in", "-o", folder.path() / "in" / "model.safetensors"}, "input"},
  };
  for (const auto& c : cases) {
    std::vector<std::string> arguments = {"quantize"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("bitnet: error: ")) << result.err;
    EXPECT_NE(result.err.find(c.message), std::string::npos) << result.err;
    EXPECT_EQ(folder.file_count(), 1U);  // the input folder
  }
}

}  // namespace
}  // namespace bitnet
