// SPDX-License-Identifier: MIT
// How many pictures of the test the shipped classifier tells right. Integer arithmetic: the same
// number on every CPU.
//   fashion_evaluate [MODEL [IMAGES LABELS]] [--json]
#include <bitnet/runtime.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "classifier.h"
#include "examples/idx_file.h"

namespace {

void evaluate(std::vector<std::string> arguments) {
  const bool json = std::erase(arguments, "--json") != 0;
  const std::string defaults[] = {"models/fashion/model.safetensors",
                                  "build/models/fashion/data/t10k-images-idx3-ubyte",
                                  "build/models/fashion/data/t10k-labels-idx1-ubyte"};
  for (std::size_t i = arguments.size(); i < std::size(defaults); ++i) {
    arguments.push_back(defaults[i]);
  }
  const auto classifier = bitnet::fashion::Classifier::load(arguments[0]);
  const IdxFile images = read_idx(arguments[1]);
  const IdxFile labels = read_idx(arguments[2]);
  if (images.values.size() != labels.values.size() * 28 * 28) {
    throw std::runtime_error("expected a label for each picture");
  }
  const bitnet::Runtime runtime;
  const std::vector<std::size_t> found = classifier.classify(images.values, runtime);
  std::size_t right = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    right += found[i] == labels.values[i];
  }
  if (!json) {
    std::cout << right << " of " << found.size() << " right\n";
    return;
  }
  std::cout << "{\"right\": " << right << ", \"found\": [";
  for (std::size_t i = 0; i < found.size(); ++i) {
    std::cout << (i == 0 ? "" : ", ") << found[i];
  }
  std::cout << "]}\n";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    evaluate({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "fashion_evaluate: error: " << error.what() << "\n";
    return 1;
  }
}
