// SPDX-License-Identifier: MIT
// Oracle of all tests here: naive encoders of the two unusual layouts, written from their
// definition, which scramble the I2_S matrices of a trained model.
#include "model/i2s_layout.h"

#include <bitnet/convert_checkpoint.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "gguf_matrix.h"
#include "tiny_model.h"

namespace bitnet {
namespace {

/// Blocks of 64: byte 16 b + m holds 64 b + m, + 16, + 32, + 48, highest bits first.
std::string encode_blocks_of_64(const std::vector<int>& trits) {
  std::string bytes(trits.size() / 4, '\0');
  for (std::size_t i = 0; i < trits.size(); ++i) {
    const std::size_t byte = i / 64 * 16 + i % 16;
    bytes[byte] = static_cast<char>(bytes[byte] | (trits[i] + 1) << (6 - 2 * (i % 64 / 16)));
  }
  return bytes;
}

/// Four rows to a byte: byte g K + k holds column k of rows 4 g .. 4 g + 3.
std::string encode_four_rows(const std::vector<int>& trits, std::size_t columns) {
  std::string bytes(trits.size() / 4, '\0');
  for (std::size_t i = 0; i < trits.size(); ++i) {
    const std::size_t row = i / columns;
    const std::size_t byte = row / 4 * columns + i % columns;
    bytes[byte] = static_cast<char>(bytes[byte] | (trits[i] + 1) << (6 - 2 * (row % 4)));
  }
  return bytes;
}

class I2sLayout : public testing::Test {
 protected:
  std::filesystem::path official(const std::filesystem::path& model) {
    const std::filesystem::path path = folder_.path() / "official.gguf";
    convert_checkpoint(open_checkpoint(model), path);
    return path;
  }

  /// The same file with every I2_S matrix in another layout.
  std::filesystem::path scrambled(const std::filesystem::path& file, Encoding layout) {
    std::string bytes = read_bytes(file);
    const Checkpoint checkpoint = open_checkpoint(file);
    for (const StoredTensor& tensor : checkpoint.tensors()) {
      if (tensor.encoding != Encoding::i2_s) continue;
      const std::string name = tensor.name.substr(0, tensor.name.rfind('.'));
      const std::vector<int> trits = unpack_gguf(checkpoint, name).trits;
      const std::string codes = layout == Encoding::i2_s_64
                                    ? encode_blocks_of_64(trits)
                                    : encode_four_rows(trits, tensor.shape.columns());
      bytes.replace(tensor.file_offset, codes.size(), codes);
    }
    const std::filesystem::path path = folder_.path() / "scrambled.gguf";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  TemporaryFolder folder_;
};

TEST_F(I2sLayout, ATrainedModelTellsItsLayout) {
  const std::filesystem::path file = official(BITNET_SOURCE_DIR "/models/prose-nano");
  for (const Encoding layout : {Encoding::i2_s, Encoding::i2_s_64, Encoding::i2_s_rows4}) {
    SCOPED_TRACE(to_string(layout));
    const bool unusual = layout != Encoding::i2_s;
    const Checkpoint input = open_checkpoint(unusual ? scrambled(file, layout) : file);
    const std::filesystem::path output = folder_.path() / "mended.gguf";
    const ConversionReport report = convert_checkpoint(input, output);
    EXPECT_TRUE(read_bytes(output) == read_bytes(file));
    EXPECT_EQ(report.notes.size(), unusual ? 1U : 0U);
    const ModelSource source(input, {.i2_s_layout = Encoding::i2_s}, Runtime::serial());
    EXPECT_EQ(weigh_i2s_layouts(source.weights(), Runtime::serial()).front().layout, layout);
  }
}

// Random weights have no relation to random gains: nothing can be told, and the note says so.
TEST_F(I2sLayout, RandomWeightsAreReadAsTheOfficialFile) {
  const std::filesystem::path file = official(BITNET_GOLDEN_DIR "/models/bitnet-2b4t/latent");
  const ConversionReport report =
      convert_checkpoint(open_checkpoint(file), folder_.path() / "out.gguf");
  EXPECT_TRUE(read_bytes(folder_.path() / "out.gguf") == read_bytes(file));
  ASSERT_FALSE(report.notes.empty());
  EXPECT_NE(report.notes.front().find("do not tell"), std::string::npos) << report.notes.front();
}

TEST_F(I2sLayout, TheUsersWordSettlesIt) {
  const std::filesystem::path file = official(BITNET_GOLDEN_DIR "/models/bitnet-2b4t/latent");
  for (const Encoding layout : {Encoding::i2_s_64, Encoding::i2_s_rows4}) {
    convert_checkpoint(open_checkpoint(scrambled(file, layout)), folder_.path() / "out.gguf",
                       {.i2_s_layout = layout});
    EXPECT_TRUE(read_bytes(folder_.path() / "out.gguf") == read_bytes(file));
  }
}

}  // namespace
}  // namespace bitnet
