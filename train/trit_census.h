// SPDX-License-Identifier: MIT
// TritCensus: how many trits are zero, and how many change.
#pragma once

#include <bitnet/train/transformer.h>

#include <cstdint>
#include <vector>

namespace bitnet::train {

class TritCensus {
 public:
  struct Count {
    double sparsity;     ///< share of zeros
    std::int64_t flips;  ///< trits that differ from those of the last count
  };
  /// The first count has no flips.
  Count count(const TransformerImpl& model);

 private:
  std::vector<torch::Tensor> trits_;  // int8, of each projection
};

}  // namespace bitnet::train
