// SPDX-License-Identifier: MIT
// Writes a Hugging Face folder of random bfloat16 weights in the shape of a published model, to
// measure conversions on: bitnet_synthetic_checkpoint SHAPE FOLDER.
#include <bitnet/error.h>
#include <bitnet/model.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "formats/safetensors_writer.h"
#include "model/hugging_face_config.h"
#include "model/model_config.h"
#include "model/weight_names.h"

namespace bitnet {
namespace {

/// A stream of normally distributed bfloat16 numbers with standard deviation 0.02.
class RandomWeights {
 public:
  RandomWeights() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 0.02F);
    for (std::uint16_t& value : table_) {
      value = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(normal(random)) >> 16);
    }
  }

  void fill(std::span<std::uint16_t> out) {
    for (std::uint16_t& value : out) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      value = table_[state_ >> 48];
    }
  }

 private:
  std::array<std::uint16_t, 65536> table_;
  std::uint64_t state_ = 1;
};

void write_checkpoint(const ModelConfig& config, const std::filesystem::path& folder) {
  std::vector<TensorDeclaration> tensors;
  for (const WeightName& name : weight_names(config, find_model_family(config))) {
    tensors.push_back(
        {name.hugging_face, Encoding::bf16,
         name.role == WeightRole::norm ? Shape{name.columns} : Shape{name.rows, name.columns}});
  }
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json")
      << hugging_face_config(config, {false, true, "bfloat16"}, "");
  SafetensorsWriter writer(folder / "model.safetensors", tensors, {});
  RandomWeights random;
  std::vector<std::uint16_t> block(std::size_t{1} << 20);
  for (const TensorDeclaration& tensor : tensors) {
    for (std::size_t rest = tensor.shape.numel(); rest != 0;) {
      const std::span part(block.data(), std::min(rest, block.size()));
      random.fill(part);
      writer.append(std::as_bytes(part));
      rest -= part.size();
    }
  }
  writer.commit();
}

int run(int argc, char** argv) {
  if (argc != 3) {
    throw InvalidArgument("usage: bitnet_synthetic_checkpoint SHAPE FOLDER");
  }
  write_checkpoint(model_shape(argv[1]), argv[2]);
  return 0;
}

}  // namespace
}  // namespace bitnet

int main(int argc, char** argv) {
  try {
    return bitnet::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bitnet: error: " << error.what() << '\n';
    return 1;
  }
}
