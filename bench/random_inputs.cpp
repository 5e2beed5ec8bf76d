// SPDX-License-Identifier: MIT
#include "random_inputs.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "ternary/ternary_storage.h"

namespace bitnet::bench {
namespace {

std::uint8_t random_tile_byte(TileLayout layout, std::mt19937& random) {
  if (layout != TileLayout::t2) {
    return static_cast<std::uint8_t>(random() % (layout == TileLayout::t16 ? 243 : 256));
  }
  unsigned byte = 0;
  for (int field = 0; field < 4; ++field) {
    byte = 4 * byte + random() % 3;
  }
  return static_cast<std::uint8_t>(byte);
}

}  // namespace

Tensor random_tensor(const Shape& shape) {
  // A period of 2^20 numbers fills large tensors at the speed of memory.
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> period(std::min(shape.numel(), std::size_t{1} << 20));
  std::generate(period.begin(), period.end(), [&] { return normal(random); });
  Tensor tensor{.data = {}, .shape = shape};
  tensor.data.reserve(shape.numel());
  while (tensor.data.size() < shape.numel()) {
    const std::size_t count = std::min(period.size(), shape.numel() - tensor.data.size());
    tensor.data.insert(tensor.data.end(), period.begin(),
                       period.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return tensor;
}

TernaryWeight random_weight(std::size_t out_features, std::size_t in_features, TileLayout layout,
                            TileArena& arena) {
  TernaryWeightBuilder builder(out_features, in_features, Granularity::tensor, 0, layout, &arena);
  std::mt19937 random(2);
  const std::size_t bytes = panel_bytes(layout, in_features);
  std::generate_n(builder.panel(0), bytes, [&] { return random_tile_byte(layout, random); });
  for (std::size_t panel = 1; panel < builder.panels(); ++panel) {
    std::memcpy(builder.panel(panel), builder.panel(0), bytes);
  }
  builder.set_scale(0, 0, 0.02F);
  return builder.finish(out_features * in_features / 3);
}

QuantizedActivations random_codes(std::size_t tokens, std::size_t hidden) {
  return quantize_activations(random_tensor({tokens, hidden}).view(), BitNetConfig::b158());
}

}  // namespace bitnet::bench
