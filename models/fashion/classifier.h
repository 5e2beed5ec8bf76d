// SPDX-License-Identifier: MIT
// The classifier of models/fashion: a multilayer perceptron of BitLinear. Needs no libtorch.
#pragma once

#include <bitnet/bit_linear.h>
#include <bitnet/runtime.h>
#include <bitnet/tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace bitnet::fashion {

/// pixels / 255 -> layer 0 -> ReLU -> layer 1 -> .. -> logits [T, 10].
struct Classifier {
  std::vector<BitLinear> layers;

  /// pixels [T, 784], as the IDX files have them.
  Tensor logits(std::span<const std::uint8_t> pixels,
                const Runtime& runtime = Runtime::serial()) const;
  /// The index of the largest logit of each picture: 0..9.
  std::vector<std::size_t> classify(std::span<const std::uint8_t> pixels,
                                    const Runtime& runtime = Runtime::serial()) const;

  /// A safetensors file (README.md): for layer i the tensors layers.i.codes, U32 of pack_2bit,
  /// layers.i.scales and layers.i.bias; layer i's config as JSON in the metadata key
  /// layers.i.config.
  void save(const std::filesystem::path& path) const;
  /// Throws IoError, FormatError, TernaryError, QuantizationError.
  static Classifier load(const std::filesystem::path& path);
};

}  // namespace bitnet::fashion
