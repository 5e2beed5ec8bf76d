// SPDX-License-Identifier: MIT
// Speed of a whole model, in the manner of llama-bench.
#pragma once

#include <string>
#include <vector>

#include "loaded_model.h"

namespace bitnet::cli {

struct ModelBenchOptions {
  ModelOptions model;
  std::string synthetic;  ///< a model_shape of random weights, instead of a file
  std::vector<std::size_t> prompts = {512};
  std::vector<std::size_t> generations = {128};
  std::vector<std::size_t> depths = {0};
  std::vector<int> threads;  ///< empty: the default
  std::size_t repetitions = 5;
  std::string output = "md";  ///< or json
};

int run_model_bench(const ModelBenchOptions& options);

}  // namespace bitnet::cli
