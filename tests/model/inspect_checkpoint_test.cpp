// SPDX-License-Identifier: MIT
#include <bitnet/convert_checkpoint.h>
#include <bitnet/error.h>
#include <bitnet/inspect_checkpoint.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tiny_model.h"

namespace bitnet {
namespace {

Checkpoint golden_model(const std::string& model) {
  return open_checkpoint(std::filesystem::path(BITNET_GOLDEN_DIR) / "models" / model);
}

const TensorInspection& find(const std::vector<TensorInspection>& tensors,
                             const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const auto& tensor) { return tensor.name == name; });
  EXPECT_NE(found, tensors.end()) << name;
  return *found;
}

// Oracle: the report of the quantizer, whose numbers are tested against naive sums.
TEST(InspectCheckpoint, AgreesWithTheQuantizersReport) {
  const TemporaryFolder folder;
  const Checkpoint source = golden_model("onebitllm/latent");
  for (const Encoding encoding : {Encoding::i2_s, Encoding::q4_0, Encoding::f16}) {
    SCOPED_TRACE(to_string(encoding));
    const std::filesystem::path path = folder.path() / "out.gguf";
    const ConversionReport report =
        convert_checkpoint(source, path, {.matrix_encoding = encoding, .ternarize = true});
    const Checkpoint file = open_checkpoint(path);
    const std::vector<TensorInspection> tensors = inspect_checkpoint(file, &source);
    EXPECT_EQ(tensors.size(), file.tensors().size());
    for (const TensorReport& expected : report.tensors) {
      SCOPED_TRACE(expected.name);
      const TensorInspection& found = find(tensors, expected.name);
      EXPECT_EQ(found.shape, expected.shape);
      ASSERT_EQ(found.ternary.has_value(), expected.ternary);
      if (expected.ternary) {
        EXPECT_EQ(found.ternary->scale, expected.scale);
        EXPECT_EQ(found.ternary->sparsity, expected.sparsity);
        EXPECT_EQ(found.ternary->sqnr_db, expected.sqnr_db);
      }
    }
  }
}

// Oracle: packed trits are kept exactly, so each matrix equals its source, rows of q and k
// included.
TEST(InspectCheckpoint, LlamaRowsAreComparedWithTheirOrigin) {
  const TemporaryFolder folder;
  const Checkpoint source = golden_model("llama-ternary/packed");
  convert_checkpoint(source, folder.path() / "out.gguf");
  std::size_t exact = 0;
  for (const TensorInspection& tensor :
       inspect_checkpoint(open_checkpoint(folder.path() / "out.gguf"), &source)) {
    if (tensor.ternary) {
      ASSERT_TRUE(tensor.ternary->sqnr_db) << tensor.name;
      EXPECT_TRUE(std::isinf(*tensor.ternary->sqnr_db)) << tensor.name;
      ++exact;
    }
  }
  EXPECT_EQ(exact, 21U);
}

// Oracle: the GGUF file made from the same folder.
TEST(InspectCheckpoint, PackedSafetensorsShowTheSameMatrices) {
  const TemporaryFolder folder;
  const Checkpoint packed = golden_model("bitnet-odd/packed");
  convert_checkpoint(packed, folder.path() / "out.gguf");
  const auto expected = inspect_checkpoint(open_checkpoint(folder.path() / "out.gguf"));
  const auto found = inspect_checkpoint(packed);
  const TernaryInspection& down = *find(found, "model.layers.1.mlp.down_proj.weight").ternary;
  const TernaryInspection& expected_down = *find(expected, "blk.1.ffn_down.weight").ternary;
  EXPECT_EQ(down.scale, expected_down.scale);
  EXPECT_EQ(down.sparsity, expected_down.sparsity);
  EXPECT_FALSE(down.sqnr_db);
  EXPECT_FALSE(find(found, "model.embed_tokens.weight").ternary);
  EXPECT_FALSE(find(found, "model.norm.weight").ternary);
}

// Oracle: the masters were drawn from a continuous distribution; none of them is ternary.
TEST(InspectCheckpoint, MastersAreNotTernary) {
  for (const TensorInspection& tensor : inspect_checkpoint(golden_model("bitnet-2b4t/latent"))) {
    EXPECT_FALSE(tensor.ternary) << tensor.name;
  }
}

// Oracle: a folder whose config.json names no known model still has tensors.
TEST(InspectCheckpoint, NeedsNoKnownModel) {
  const TemporaryFolder folder;
  TinyModel model(20, 20);
  model.config["architectures"] = {"MambaForCausalLM"};
  model.set_floats("anything", {2, 2}, {0.5F, -0.5F, 0.0F, 0.5F});
  model.write(folder.path());
  const auto tensors = inspect_checkpoint(open_checkpoint(folder.path()));
  EXPECT_EQ(tensors.size(), model.tensors.size());
  const TernaryInspection& ternary = *find(tensors, "anything").ternary;
  EXPECT_EQ(ternary.scale, 0.5F);
  EXPECT_EQ(ternary.sparsity, 0.25);
}

// Oracle: the shapes in the two config.json files differ.
TEST(InspectCheckpoint, SourceOfAnotherShapeIsAnError) {
  const TemporaryFolder folder;
  convert_checkpoint(golden_model("bitnet-odd/packed"), folder.path() / "out.gguf");
  const Checkpoint other = golden_model("bitnet-2b4t/latent");
  EXPECT_THROW(inspect_checkpoint(open_checkpoint(folder.path() / "out.gguf"), &other),
               ShapeMismatch);
}

}  // namespace
}  // namespace bitnet
