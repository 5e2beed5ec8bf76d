// SPDX-License-Identifier: MIT
// From one dialect to another and back: codes, scales and bytes must be what they were.
#include <bitnet/convert_checkpoint.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "gguf_matrix.h"
#include "reference/golden_file.h"
#include "reference/naive_half.h"
#include "tiny_model.h"

namespace bitnet {
namespace {

const std::filesystem::path kGolden = BITNET_GOLDEN_DIR "/models";
const std::filesystem::path kProse = BITNET_SOURCE_DIR "/models/prose-nano";

class RoundTrip : public testing::Test {
 protected:
  /// Converts into a new file or folder and says where.
  std::filesystem::path convert(const std::filesystem::path& input,
                                ConversionOptions options = {}) {
    const std::filesystem::path output = folder_.path() / std::to_string(outputs_++);
    convert_checkpoint(open_checkpoint(input), output, options);
    return output;
  }
  std::filesystem::path to_folder(const std::filesystem::path& input,
                                  ConversionOptions options = {}) {
    options.format = Checkpoint::Format::safetensors;
    return convert(input, options);
  }

  TemporaryFolder folder_;
  int outputs_ = 0;
};

// Oracle: the file itself, after a way through a Hugging Face folder of packed weights.
TEST_F(RoundTrip, GgufToPackedFolderAndBackIsTheSameFile) {
  for (const char* model :
       {"bitnet-2b4t/latent", "bitnet-2b4t/packed", "bitnet-odd/packed", "llama-ternary/packed",
        "onebitllm/latent", "bitnet-embedding/latent"}) {
    SCOPED_TRACE(model);
    const std::filesystem::path gguf = convert(kGolden / model);
    EXPECT_TRUE(read_bytes(gguf) == read_bytes(convert(to_folder(gguf))));
  }
}

// Oracle: the file in I2_S, after a way through each other type that holds trits.
TEST_F(RoundTrip, EveryTernaryTypeKeepsCodesAndScales) {
  const std::filesystem::path i2_s = convert(kProse);
  for (const Encoding encoding : {Encoding::tq1_0, Encoding::tq2_0, Encoding::q2_0, Encoding::q4_0,
                                  Encoding::f16, Encoding::bf16, Encoding::f32}) {
    SCOPED_TRACE(to_string(encoding));
    const std::filesystem::path other = convert(i2_s, {.matrix_encoding = encoding});
    EXPECT_EQ(open_checkpoint(other).find("blk.0.attn_q.weight")->encoding, encoding);
    EXPECT_TRUE(read_bytes(i2_s) ==
                read_bytes(convert(other, {.matrix_encoding = Encoding::i2_s})));
  }
}

// Oracle: the packed bytes of an independent encoder, and its scales: autobitlinear multiplies.
TEST_F(RoundTrip, PackedWeightsAreThoseOfAnotherEncoder) {
  const std::filesystem::path folder = to_folder(kGolden / "bitnet-2b4t/latent");
  const reference::GoldenFile golden("models/bitnet-2b4t/packed/model.safetensors");
  const Checkpoint written = open_checkpoint(folder);
  const auto config = nlohmann::json::parse(written.config_json());
  EXPECT_EQ(config["quantization_config"]["linear_class"], "autobitlinear");
  EXPECT_EQ(config["quantization_config"]["quantization_mode"], "offline");
  EXPECT_EQ(config["rope_theta"], 500000.0);
  std::size_t matrices = 0;
  for (const StoredTensor& tensor : written.tensors()) {
    if (tensor.encoding != Encoding::u8) continue;
    SCOPED_TRACE(tensor.name);
    const std::vector<std::byte>& expected = golden.at(tensor.name).bytes;
    EXPECT_TRUE(
        std::equal(tensor.bytes.begin(), tensor.bytes.end(), expected.begin(), expected.end()));
    float scale = 0;
    std::memcpy(&scale, written.find(tensor.name + "_scale")->bytes.data(), sizeof scale);
    EXPECT_EQ(scale, golden.at(tensor.name + "_scale").floats().front());
    ++matrices;
  }
  EXPECT_EQ(matrices, 21U);
}

// Oracle: transformers maps each tensor where it lies, which needs it aligned to its elements.
TEST_F(RoundTrip, SafetensorsAreAligned) {
  for (const char* model : {"bitnet-2b4t/latent", "bitnet-odd/packed"}) {
    const Checkpoint written = open_checkpoint(to_folder(kGolden / model));
    for (const StoredTensor& tensor : written.tensors()) {
      const std::size_t width = tensor.bytes.size() / tensor.shape.numel();
      EXPECT_EQ(tensor.file_offset % width, 0U) << tensor.name;
    }
  }
}

// Oracle: the multiplier that the test chose. The mean magnitude of {-s, 0, s} is s times the
// density of nonzeros: re-quantizing by absmean would shrink the scale by 31 % in a usual matrix.
TEST_F(RoundTrip, TernaryFloatsAreNotQuantizedAgain) {
  const std::filesystem::path floats = to_folder(
      convert(kProse), {.matrix_encoding = Encoding::f32, .scales = ScalePlacement::block});
  EXPECT_EQ(open_checkpoint(floats).find("model.layers.0.mlp.up_proj.weight")->encoding,
            Encoding::f32);
  ConversionOptions ternary;
  ternary.matrix_encoding = Encoding::i2_s;
  EXPECT_TRUE(read_bytes(convert(kProse)) == read_bytes(convert(floats, ternary)));
}

std::string refusal(const std::function<void()>& conversion) {
  try {
    conversion();
  } catch (const UnsupportedError& error) {
    return error.what();
  }
  return "no error";
}

// Oracle: float16 has 11 significant bits; absmean scales have 24, those of bfloat16 masters'
// packed form 8.
TEST_F(RoundTrip, ScalesInsideBlocksMustBeExact) {
  const ConversionOptions block{.matrix_encoding = Encoding::tq2_0,
                                .scales = ScalePlacement::block};
  const std::string text = refusal([&] { convert(kProse, block); });
  EXPECT_NE(text.find("F16"), std::string::npos) << text;
  EXPECT_NE(text.find("scale"), std::string::npos) << text;

  ConversionOptions rounded = block;
  rounded.scales = ScalePlacement::rounded;
  const Checkpoint exact = open_checkpoint(convert(kProse));
  const Checkpoint file = open_checkpoint(convert(kProse, rounded));
  EXPECT_EQ(file.find("blk.0.attn_q.scale"), nullptr);
  const UnpackedMatrix matrix = unpack_gguf(exact, "blk.0.attn_q");
  std::uint16_t half = 0;
  std::memcpy(&half, file.find("blk.0.attn_q.weight")->bytes.data() + 64, sizeof half);
  const auto stored = static_cast<float>(reference::widen(half, reference::kFloat16));
  EXPECT_NE(stored, matrix.scale);
  EXPECT_NEAR(stored, matrix.scale, std::ldexp(matrix.scale, -11));
}

// Oracle: the list of what a format can hold.
TEST_F(RoundTrip, RefusesWhatTheOutputCannotHold) {
  EXPECT_NE(refusal([&] {
              convert(kGolden / "bitnet-odd/packed", {.matrix_encoding = Encoding::tq1_0});
            }).find("multiple of 256"),
            std::string::npos);
  EXPECT_THROW(to_folder(kProse, {.matrix_encoding = Encoding::tq1_0}), InvalidArgument);
  EXPECT_THROW(convert(kProse, {.matrix_encoding = Encoding::u8}), InvalidArgument);
  EXPECT_THROW(convert(kProse, {.program = TargetProgram::transformers}), InvalidArgument);
  EXPECT_THROW(convert(kProse, {.architecture = "llama"}), InvalidArgument);
  TinyModel tiny(64, 70);  // 70 rows are no multiple of 4
  std::filesystem::create_directory(folder_.path() / "tiny");
  tiny.write(folder_.path() / "tiny");
  const std::string text = refusal([&] { to_folder(folder_.path() / "tiny"); });
  EXPECT_NE(text.find("multiple of 4"), std::string::npos) << text;
}

// Oracle: no reader of GGUF rounds weights to trits, readers of safetensors do when config.json
// says so.
TEST_F(RoundTrip, LatentsStayFloatsOnlyWhereReadersTernarize) {
  const auto ternary_matrices = [&](const ConversionOptions& options) {
    const ConversionReport report =
        convert_checkpoint(open_checkpoint(kProse), folder_.path() / "latents", options);
    const bool wrong =
        std::any_of(report.loaders.begin(), report.loaders.end(), [](const LoaderAdvice& advice) {
          return advice.verdict == LoaderAdvice::Verdict::computes_wrong_results &&
                 advice.how.find("float weights") != std::string::npos;
        });
    const auto count = std::count_if(report.tensors.begin(), report.tensors.end(),
                                     [](const TensorReport& tensor) { return tensor.ternary; });
    EXPECT_EQ(wrong, count == 0 && options.format == Checkpoint::Format::gguf);
    std::filesystem::remove_all(folder_.path() / "latents");
    return count;
  };
  EXPECT_EQ(ternary_matrices({.matrix_encoding = Encoding::f16}), 28);
  EXPECT_EQ(ternary_matrices({.matrix_encoding = Encoding::f16, .ternarize = false}), 0);
  EXPECT_EQ(ternary_matrices(
                {.format = Checkpoint::Format::safetensors, .matrix_encoding = Encoding::f16}),
            0);
  EXPECT_EQ(ternary_matrices({.format = Checkpoint::Format::safetensors}), 28);
}

// Oracle: what each program knows, from docs/formats.md.
TEST_F(RoundTrip, DefaultsForLlamaCppAreTypesItKnows) {
  const ConversionOptions options{.program = TargetProgram::llama_cpp};
  const Checkpoint bitnet = open_checkpoint(convert(kProse, options));
  EXPECT_EQ(std::get<std::string>(bitnet.metadata().at("general.architecture")), "bitnet");
  EXPECT_EQ(bitnet.find("blk.0.ffn_up.weight")->encoding, Encoding::tq2_0);
  const Checkpoint odd = open_checkpoint(convert(kGolden / "bitnet-odd/packed", options));
  EXPECT_EQ(odd.find("blk.0.ffn_up.weight")->encoding, Encoding::q4_0);
}

}  // namespace
}  // namespace bitnet
