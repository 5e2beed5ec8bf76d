// SPDX-License-Identifier: MIT
// The shipped classifier. Oracle: the formulas of the layers in plain loops over the bits of the
// file, and the scores that models/fashion/train.sh wrote down.
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/idx_file.h"
#include "models/fashion/classifier.h"

namespace bitnet::fashion {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(BITNET_SOURCE_DIR) / "models/fashion";
const fs::path kData = fs::path(BITNET_SOURCE_DIR) / "build/models/fashion/data";

nlohmann::json scores() { return nlohmann::json::parse(std::ifstream(kFolder / "scores.json")); }

std::size_t right(const Classifier& classifier, const fs::path& images, const fs::path& labels,
                  const Runtime& runtime) {
  const std::vector<std::size_t> found = classifier.classify(read_idx(images).values, runtime);
  const std::vector<std::uint8_t> kinds = read_idx(labels).values;
  std::size_t count = 0;
  for (std::size_t i = 0; i < found.size(); ++i) count += found[i] == kinds[i];
  return count;
}

/// A layer as the file has it: sixteen codes in a word, 1 is +1 and 2 is -1.
struct PlainLayer {
  std::vector<std::uint32_t> words;
  std::vector<float> scales, bias;

  explicit PlainLayer(const Checkpoint& file, const std::string& prefix) {
    const auto copy = [&](const char* part, auto& values) {
      const auto bytes = file.find(prefix + part)->bytes;
      values.resize(bytes.size() / sizeof(values[0]));
      std::memcpy(values.data(), bytes.data(), bytes.size());
    };
    copy("codes", words);
    copy("scales", scales);
    copy("bias", bias);
  }

  int trit(std::size_t row, std::size_t column) const {
    const std::size_t words_per_row = words.size() / bias.size();
    const std::uint32_t code = words[row * words_per_row + column / 16] >> (2 * (column % 16)) & 3;
    return code == 1 ? 1 : code == 2 ? -1 : 0;
  }

  std::vector<double> forward(std::vector<double> x, bool norm) const {
    double squares = 0, largest = 0;
    for (const double value : x) squares += value * value;
    const double divisor = norm ? std::sqrt(squares / static_cast<double>(x.size()) + 1e-5) : 1.0;
    for (double& value : x) largest = std::max(largest, std::abs(value /= divisor));
    // Pixels lie on ties of exact numbers, which these two roundings to float32 decide
    // (docs/numerics.md).
    const float inverse_scale = 127 / static_cast<float>(largest);
    std::vector<double> y;
    for (std::size_t row = 0; row < bias.size(); ++row) {
      std::int64_t sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k) {
        sum += std::lround(std::nearbyint(static_cast<float>(x[k]) * inverse_scale)) * trit(row, k);
      }
      y.push_back(static_cast<double>(sum) * largest / 127 * scales[scales.size() == 1 ? 0 : row] +
                  bias[row]);
    }
    return y;
  }
};

std::vector<double> plain_logits(const std::vector<PlainLayer>& layers,
                                 std::span<const std::uint8_t> picture) {
  std::vector<double> x;
  for (const std::uint8_t pixel : picture) x.push_back(pixel / 255.0);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    x = layers[i].forward(x, i != 0);
    for (double& value : x) value = i + 1 < layers.size() ? std::max(value, 0.0) : value;
  }
  return x;
}

TEST(Fashion, ClassifiesTheSampleAsPlainLoopsDo) {
  const Classifier classifier = Classifier::load(kFolder / "model.safetensors");
  const Checkpoint file = open_checkpoint(kFolder / "model.safetensors");
  std::vector<PlainLayer> layers;
  for (std::size_t i = 0; i < classifier.layers.size(); ++i) {
    layers.emplace_back(file, "layers." + std::to_string(i) + ".");
  }
  const std::vector<std::uint8_t> pixels = read_idx(kFolder / "sample-images-idx3-ubyte").values;
  const Tensor logits = classifier.logits(pixels);
  const std::vector<std::size_t> kinds = classifier.classify(pixels);
  ASSERT_EQ(kinds.size(), 100U);
  for (std::size_t t = 0; t < kinds.size(); ++t) {
    const std::vector<double> expected =
        plain_logits(layers, std::span(pixels).subspan(784 * t, 784));
    EXPECT_EQ(kinds[t], std::ranges::max_element(expected) - expected.begin()) << t;
    // A float32 next to a tie may round to the other code, which moves a logit by less than this.
    for (std::size_t kind = 0; kind < 10; ++kind) {
      EXPECT_NEAR(logits.data[10 * t + kind], expected[kind], 0.01) << t << " " << kind;
    }
  }
}

TEST(Fashion, ScoresOnEveryInstructionSetWhatTrainingWroteDown) {
  const Classifier classifier = Classifier::load(kFolder / "model.safetensors");
  for (const Isa isa : supported_isas()) {
    const Runtime runtime({.threads = 2, .isa = isa});
    EXPECT_EQ(right(classifier, kFolder / "sample-images-idx3-ubyte",
                    kFolder / "sample-labels-idx1-ubyte", runtime),
              scores().at("sample_right"))
        << to_string(isa);
  }
}

TEST(Fashion, ScoresOnTheWholeTestWhatTrainingWroteDown) {
  const fs::path images = kData / "t10k-images-idx3-ubyte";
  if (!fs::exists(images)) GTEST_SKIP() << "models/fashion/fetch was not run";
  const std::size_t count = right(Classifier::load(kFolder / "model.safetensors"), images,
                                  kData / "t10k-labels-idx1-ubyte", Runtime());
  EXPECT_EQ(count, scores().at("ternary").at("right"));
  EXPECT_GE(count, 8850U);
  EXPECT_LE(scores().at("full_precision").at("right").get<int>() - static_cast<int>(count), 70);
}

TEST(Fashion, RefusesAFileOfSomethingElse) {
  EXPECT_THROW(
      Classifier::load(fs::path(BITNET_SOURCE_DIR) / "models/prose-nano/model.safetensors"),
      FormatError);
}

}  // namespace
}  // namespace bitnet::fashion
