// SPDX-License-Identifier: MIT
#include "trit_census.h"

#include <bitnet/config.h>
#include <torch/torch.h>

#include <cmath>

#include "functional/fake_quantize.h"

namespace bitnet::train {

TritCensus::Count TritCensus::count(const TransformerImpl& model) {
  const torch::NoGradGuard no_grad;
  std::int64_t zeros = 0;
  std::int64_t flips = 0;
  std::int64_t all = 0;
  std::vector<torch::Tensor> trits;
  for (const TernaryLinear& projection : model.projections()) {
    if (projection.packed) {  // never changes
      zeros +=
          std::llround(projection.packed->weight.sparsity() *
                       static_cast<double>(projection.out_features() * projection.in_features()));
      all += projection.out_features() * projection.in_features();
      continue;
    }
    trits.push_back(
        fake_quantize_weights(projection.weight, BitNetConfig::b158(), 1).sign().to(torch::kInt8));
    zeros += (trits.back() == 0).sum().item<std::int64_t>();
    all += trits.back().numel();
    if (!trits_.empty()) {
      flips += (trits.back() != trits_[trits.size() - 1]).sum().item<std::int64_t>();
    }
  }
  trits_ = std::move(trits);
  return {static_cast<double>(zeros) / static_cast<double>(all), flips};
}

}  // namespace bitnet::train
