// SPDX-License-Identifier: MIT
#include "classifier.h"

#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <bitnet/ternary_weight.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/message.h"
#include "formats/safetensors_writer.h"

namespace bitnet::fashion {
namespace {

constexpr std::size_t kPixels = 28 * 28;

std::string name_of(std::size_t layer, const char* part) {
  return message("layers.", layer, ".", part);
}

template <class T>
std::vector<T> read(const Checkpoint& file, const std::string& name, Encoding encoding) {
  const StoredTensor* const tensor = file.find(name);
  if (tensor == nullptr || tensor->encoding != encoding) {
    throw FormatError(message(file.path().string(), ": expected a tensor '", name, "' of type ",
                              to_string(encoding)));
  }
  std::vector<T> values(tensor->bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

}  // namespace

Tensor Classifier::logits(std::span<const std::uint8_t> pixels, const Runtime& runtime) const {
  Tensor x{std::vector<float>(pixels.size()), {pixels.size() / kPixels, kPixels}};
  std::ranges::transform(pixels, x.data.begin(),
                         [](std::uint8_t pixel) { return static_cast<float>(pixel) / 255; });
  for (const BitLinear& layer : layers) {
    x = layer.forward(x.view(), runtime);
    if (&layer != &layers.back()) {
      for (float& value : x.data) value = std::max(value, 0.0F);
    }
  }
  return x;
}

std::vector<std::size_t> Classifier::classify(std::span<const std::uint8_t> pixels,
                                              const Runtime& runtime) const {
  const Tensor scores = logits(pixels, runtime);
  const std::size_t kinds = scores.shape.columns();
  std::vector<std::size_t> found;
  for (auto row = scores.data.begin(); row != scores.data.end(); row += kinds) {
    found.push_back(std::max_element(row, row + kinds) - row);
  }
  return found;
}

void Classifier::save(const std::filesystem::path& path) const {
  std::vector<TensorDeclaration> tensors;
  std::map<std::string, std::string> metadata;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::size_t rows = layers[i].out_features();
    const std::size_t words = (layers[i].in_features() + 15) / 16;
    tensors.push_back({name_of(i, "codes"), Encoding::u32, {rows, words}});
    tensors.push_back({name_of(i, "scales"), Encoding::f32, {layers[i].weight().scales().size()}});
    tensors.push_back({name_of(i, "bias"), Encoding::f32, {rows}});
    metadata[name_of(i, "config")] = layers[i].config().to_json();
  }
  SafetensorsWriter writer(path, tensors, metadata);
  for (const BitLinear& layer : layers) {
    const TernaryWeight& weight = layer.weight();
    const auto codes = pack_2bit(weight.trits(), weight.out_features(), weight.in_features());
    const std::vector<float> scales = weight.scales();
    writer.append(std::as_bytes(std::span(codes)));
    writer.append(std::as_bytes(std::span(scales)));
    writer.append(std::as_bytes(layer.bias()));
  }
  writer.commit();
}

Classifier Classifier::load(const std::filesystem::path& path) {
  const Checkpoint file = open_checkpoint(path);
  const auto text = [&](const std::string& key) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) {
      throw FormatError(message(path.string(), ": expected the metadata key '", key, "'"));
    }
    return std::get<std::string>(found->second);
  };
  Classifier classifier;
  for (std::size_t i = 0; i == 0 || file.find(name_of(i, "codes")) != nullptr; ++i) {
    const auto codes = read<std::uint32_t>(file, name_of(i, "codes"), Encoding::u32);
    const auto scales = read<float>(file, name_of(i, "scales"), Encoding::f32);
    const auto bias = read<float>(file, name_of(i, "bias"), Encoding::f32);
    const BitNetConfig config = BitNetConfig::from_json(text(name_of(i, "config")));
    const std::size_t inputs = i == 0 ? kPixels : classifier.layers.back().out_features();
    const auto trits = unpack_2bit(codes, bias.size(), inputs);
    classifier.layers.push_back(BitLinear::from_quantized(
        TernaryWeight::pack(trits, bias.size(), inputs, scales, config.weight_granularity), bias,
        config));
  }
  return classifier;
}

}  // namespace bitnet::fashion
