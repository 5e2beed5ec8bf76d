// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/adapter.h>
#include <bitnet/train/model_folder.h>
#include <torch/torch.h>

#include <algorithm>

#include "base/message.h"

namespace bitnet::train {
namespace {

std::vector<float> floats_of(const torch::Tensor& x) {
  const torch::Tensor values = x.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

template <class Body>
void for_each_update(const TransformerImpl& model, const Body& body) {
  for (const TernaryLinear& projection : model.projections()) {
    if (projection.update.a.defined()) {
      body(projection);
    }
  }
}

}  // namespace

void BitNetAdapterConfig::validate() const {
  if (rank < 1) {
    throw InvalidArgument(message("rank: expected a positive number, found ", rank));
  }
  if (!(alpha > 0)) {
    throw InvalidArgument(message("alpha: expected a positive number, found ", alpha));
  }
  if (target_modules.empty()) {
    throw InvalidArgument("target_modules: expected names of projections, found none");
  }
}

BitNetAdapter::BitNetAdapter(const Checkpoint& base, const BitNetAdapterConfig& config)
    : config_(config), base_name_(base.path().string()), model_(load_frozen_transformer(base)) {
  config.validate();
  torch::manual_seed(config.seed);
  model_->add_low_rank_updates(config.rank, config.alpha / static_cast<double>(config.rank),
                               config.target_modules);
}

void BitNetAdapter::set_learning(bool learns) {
  for_each_update(*model_, [learns](const TernaryLinear& projection) {
    torch::Tensor(projection.update.a).requires_grad_(learns);
    torch::Tensor(projection.update.b).requires_grad_(learns);
  });
}

std::int64_t BitNetAdapter::num_parameters() const {
  std::int64_t count = 0;
  for_each_update(*model_, [&](const TernaryLinear& projection) {
    count += projection.update.a.numel() + projection.update.b.numel();
  });
  return count;
}

double BitNetAdapter::compression_ratio() const {
  double floats = 0;
  double kept = static_cast<double>(num_parameters()) * sizeof(float);
  for (const TernaryLinear& projection : model_->projections()) {
    const bitnet::TernaryWeight& weight = projection.packed->weight;
    floats += static_cast<double>(weight.out_features() * weight.in_features()) * sizeof(float);
    kept += static_cast<double>(weight.memory_bytes());
  }
  return floats / kept;
}

LoraAdapter BitNetAdapter::to_lora() const { return lora_of(*model_, base_name_); }

LoraAdapter lora_of(const TransformerImpl& model, const std::string& base_model) {
  LoraAdapter adapter;
  adapter.base_model = base_model;
  for_each_update(model, [&](const TernaryLinear& projection) {
    const LowRankUpdate& update = projection.update;
    adapter.rank = static_cast<std::size_t>(update.a.size(0));
    adapter.alpha = update.scale * static_cast<double>(adapter.rank);
    adapter.matrices.push_back({.module = projection.name,
                                .out_features = static_cast<std::size_t>(update.b.size(0)),
                                .in_features = static_cast<std::size_t>(update.a.size(1)),
                                .a = floats_of(update.a),
                                .b = floats_of(update.b)});
  });
  return adapter;
}

void restore_lora(TransformerImpl& model, const LoraAdapter& adapter) {
  const torch::NoGradGuard no_grad;
  for_each_update(model, [&](const TernaryLinear& projection) {
    const auto found = std::ranges::find(adapter.matrices, projection.name, &LoraMatrix::module);
    const auto fits = [](const std::vector<float>& values, const torch::Tensor& target) {
      return values.size() == static_cast<std::size_t>(target.numel());
    };
    if (found == adapter.matrices.end() || !fits(found->a, projection.update.a) ||
        !fits(found->b, projection.update.b)) {
      throw FormatError(message("adapter: expected matrices of rank ", projection.update.a.size(0),
                                " for ", projection.name, ", found others or none"));
    }
    const auto copy = [](const std::vector<float>& values, torch::Tensor target) {
      target.view(-1).copy_(torch::tensor(values));
    };
    copy(found->a, projection.update.a);
    copy(found->b, projection.update.b);
  });
}

bool has_updates(const TransformerImpl& model) {
  bool found = false;
  for_each_update(model, [&](const TernaryLinear&) { found = true; });
  return found;
}

}  // namespace bitnet::train
