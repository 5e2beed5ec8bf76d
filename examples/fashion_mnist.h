// SPDX-License-Identifier: MIT
// Fashion-MNIST as tensors, and the share of it that a module tells right.
#pragma once

#include <bitnet/tensor.h>
#include <torch/torch.h>

#include <string>
#include <vector>

#include "idx_file.h"

struct LabelledPictures {
  /// `part` is "train" or "t10k".
  LabelledPictures(const std::string& folder, const std::string& part) {
    IdxFile images = read_idx(folder + "/" + part + "-images-idx3-ubyte");
    IdxFile labels = read_idx(folder + "/" + part + "-labels-idx1-ubyte");
    pixels = torch::from_blob(images.values.data(), {images.dimensions[0], 28 * 28}, torch::kUInt8)
                 .to(torch::kFloat32)
                 .div_(255);
    kinds =
        torch::from_blob(labels.values.data(), labels.dimensions, torch::kUInt8).to(torch::kInt64);
  }

  torch::Tensor pixels;  // [T, 784] in 0..1
  torch::Tensor kinds;   // [T]
};

/// In percent.
inline double accuracy(torch::nn::Sequential& classifier, const LabelledPictures& pictures) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor found = classifier->forward(pictures.pixels).argmax(1);
  return 100 * found.eq(pictures.kinds).to(torch::kFloat64).mean().item<double>();
}
