// SPDX-License-Identifier: MIT
// A wrong checkpoint is refused with a message that names what is wrong, and leaves no file.
#include <bitnet/convert_checkpoint.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "tiny_model.h"

namespace bitnet {
namespace {

constexpr const char* kUp = "model.layers.0.mlp.up_proj.weight";

class ConvertCheckpointErrors : public testing::Test {
 protected:
  ConvertCheckpointErrors() : model_(128, 256) {}

  /// Quantizes model_ over an existing file, expecting ExpectedError; then that file must be
  /// untouched and alone.
  template <class ExpectedError>
  std::string error_of(const ConversionOptions& options = {}) {
    std::filesystem::create_directories(input());
    model_.write(input());
    std::filesystem::create_directories(output().parent_path());
    std::ofstream(output()) << "precious";
    std::string text = "no error";
    try {
      convert_checkpoint(open_checkpoint(input()), output(), options);
    } catch (const ExpectedError& error) {
      text = error.what();
    }
    EXPECT_EQ(read_bytes(output()), "precious");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(output().parent_path()), {}), 1);
    return text;
  }

  std::filesystem::path input() const { return folder_.path() / "in"; }
  std::filesystem::path output() const { return folder_.path() / "out" / "model.gguf"; }

  TinyModel model_;
  TemporaryFolder folder_;
};

void expect_mentions(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
  }
}

// Oracle: the place where the test put the NaN; of two, the first in row-major order.
TEST_F(ConvertCheckpointErrors, NonFiniteWeightNamesTensorRowAndColumn) {
  std::vector<float> weights = model_.floats(kUp);
  weights[200 * 128 + 3] = std::numeric_limits<float>::infinity();
  weights[17 * 128 + 101] = std::numeric_limits<float>::quiet_NaN();
  model_.set_floats(kUp, {256, 128}, weights);
  for (const int threads : {1, 3}) {
    std::filesystem::create_directories(input());
    model_.write(input());
    const Runtime runtime({.threads = threads, .isa = std::nullopt});
    try {
      convert_checkpoint(open_checkpoint(input()), folder_.path() / "none.gguf", {}, runtime);
      ADD_FAILURE() << "no error";
    } catch (const NonFiniteError& error) {
      EXPECT_EQ(error.row, 17U);
      EXPECT_EQ(error.column, 101U);
      expect_mentions(error.what(), {kUp, "row 17", "column 101"});
    }
    EXPECT_EQ(folder_.file_count(), 1U);  // the input folder
  }
  EXPECT_NE(error_of<NonFiniteError>(), "no error");
}

// Oracle: the byte that the test set to code 3.
TEST_F(ConvertCheckpointErrors, CodeThreeNamesTensorRowAndColumn) {
  std::vector<std::uint8_t> packed(64 * 128, 0x55);
  packed[10 * 128 + 7] = 0x5d;  // bits 3-2 belong to row 10 + 64
  model_.set_bytes(kUp, {64, 128}, packed);
  model_.set_floats(std::string(kUp) + "_scale", {1}, {0.5F});
  expect_mentions(error_of<TernaryError>(), {kUp, "row 74", "column 7"});
}

// Oracle: the list of things a packed matrix must have.
TEST_F(ConvertCheckpointErrors, PackedMatrixNeedsItsScale) {
  model_.set_bytes(kUp, {64, 128}, std::vector<std::uint8_t>(64 * 128, 0x55));
  expect_mentions(error_of<FormatError>(), {kUp, "_scale"});
  model_.set_floats(std::string(kUp) + "_scale", {1}, {-1.0F});
  expect_mentions(error_of<QuantizationError>(), {kUp, "positive", "-1"});
  model_.set_floats(std::string(kUp) + "_scale", {1}, {1.0F});
  model_.config["quantization_config"] = {{"linear_class", "magic"}};
  expect_mentions(error_of<UnsupportedError>(), {"linear_class", "autobitlinear", "magic"});
}

// Oracle: config.json says [256, 128].
TEST_F(ConvertCheckpointErrors, ShapesMustAgreeWithTheConfig) {
  model_.set_floats(kUp, {128, 256}, model_.floats(kUp));
  expect_mentions(error_of<ShapeMismatch>(), {kUp, "[256, 128]", "[128, 256]"});
}

TEST_F(ConvertCheckpointErrors, MissingTensor) {  // Oracle: the tensor that was taken away.
  model_.tensors.erase(kUp);
  expect_mentions(error_of<FormatError>(), {kUp});
}

TEST_F(ConvertCheckpointErrors, UnknownTensor) {  // Oracle: no known family has biases.
  model_.set_floats("model.layers.0.mlp.up_proj.bias", {256}, std::vector<float>(256));
  expect_mentions(error_of<UnsupportedError>(), {"model.layers.0.mlp.up_proj.bias"});
}

TEST_F(ConvertCheckpointErrors, TwoNamesForOneTensor) {  // Oracle: both are one weight.
  model_.set_floats("norm.weight", {128}, std::vector<float>(128));
  expect_mentions(error_of<FormatError>(), {"norm.weight", "'model.'"});
}

TEST_F(ConvertCheckpointErrors, UnknownArchitecture) {  // Oracle: the list of known ones.
  model_.config["architectures"] = {"MambaForCausalLM"};
  expect_mentions(error_of<UnsupportedError>(),
                  {"MambaForCausalLM", "BitNetForCausalLM", "LlamaForCausalLM"});
}

TEST_F(ConvertCheckpointErrors, IntegerWeights) {  // Oracle: a norm of bytes means nothing.
  model_.set_bytes("model.norm.weight", {128}, std::vector<std::uint8_t>(128));
  expect_mentions(error_of<UnsupportedError>(), {"model.norm.weight", "U8", "BF16"});
}

// Oracle: the block sizes of the formats; up has 128 columns, no multiple of 256.
TEST_F(ConvertCheckpointErrors, EncodingThatCannotHoldAMatrix) {
  expect_mentions(error_of<UnsupportedError>({.matrix_encoding = Encoding::tq2_0}),
                  {"_proj.weight", "TQ2_0", "256", "128"});
  expect_mentions(error_of<InvalidArgument>({.matrix_encoding = Encoding::i16}), {"I2_S", "I16"});
  expect_mentions(
      error_of<UnsupportedError>({.matrix_encoding = Encoding::q8_0, .ternarize = true}),
      {"ternary", "Q8_0"});
}

// Oracle: without config.json nobody knows what the tensors mean.
TEST_F(ConvertCheckpointErrors, SafetensorsNeedTheirConfig) {
  std::filesystem::create_directories(input());
  model_.write(input());
  std::filesystem::remove(input() / "config.json");
  EXPECT_THROW(convert_checkpoint(open_checkpoint(input()), folder_.path() / "a.gguf"),
               FormatError);
}

// Oracle: the input is still what it was.
TEST_F(ConvertCheckpointErrors, OutputMustNotBeTheInput) {
  std::filesystem::create_directories(input());
  model_.write(input());
  const std::filesystem::path file = input() / "model.safetensors";
  const std::string before = read_bytes(file);
  const std::filesystem::path link = folder_.path() / "link";
  std::filesystem::create_hard_link(file, link);
  for (const std::filesystem::path& output : {file, link}) {
    EXPECT_THROW(convert_checkpoint(open_checkpoint(input()), output), InvalidArgument);
  }
  EXPECT_TRUE(read_bytes(file) == before);
}

// Oracle: the system, which has no such folder.
TEST_F(ConvertCheckpointErrors, OutputFolderMustExist) {
  std::filesystem::create_directories(input());
  model_.write(input());
  EXPECT_THROW(convert_checkpoint(open_checkpoint(input()), folder_.path() / "none" / "a.gguf"),
               IoError);
  EXPECT_EQ(folder_.file_count(), 1U);
}

}  // namespace
}  // namespace bitnet
