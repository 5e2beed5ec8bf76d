// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/transformer.h>
#include <torch/torch.h>

#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "base/message.h"
#include "model/layer_assembly.h"
#include "model/model_family.h"
#include "model/weight_names.h"

namespace bitnet::train {
namespace {

/// A level of the names: "model", "layers", "0", "self_attn", ...
struct Container : torch::nn::Module {};

/// Registers `value` under a dotted name, below containers of the names in front.
void register_at(torch::nn::Module& root, const std::string& name, const torch::Tensor& value) {
  torch::nn::Module* module = &root;
  std::size_t first = 0;
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', first)) {
    const std::string level = name.substr(first, dot - first);
    const auto children = module->named_children();
    const std::shared_ptr<torch::nn::Module>* const found = children.find(level);
    module = found != nullptr ? found->get()
                              : module->register_module(level, std::make_shared<Container>()).get();
    first = dot + 1;
  }
  module->register_parameter(name.substr(first), value);
}

torch::Tensor initial_value(const WeightName& name, double initializer_range) {
  if (name.role == WeightRole::norm) {
    return torch::full({static_cast<std::int64_t>(name.columns)}, name.gguf_adds_one ? 0.0 : 1.0);
  }
  return torch::normal(
      0, initializer_range,
      {static_cast<std::int64_t>(name.rows), static_cast<std::int64_t>(name.columns)});
}

/// In order of computation.
constexpr std::array kProjections = {&TransformerLayer::q_proj,    &TransformerLayer::k_proj,
                                     &TransformerLayer::v_proj,    &TransformerLayer::o_proj,
                                     &TransformerLayer::gate_proj, &TransformerLayer::up_proj,
                                     &TransformerLayer::down_proj};

std::string without_weight(const std::string& name) {
  return name.substr(0, name.size() - std::string(".weight").size());
}

}  // namespace

TransformerImpl::TransformerImpl(ModelConfig config, const TransformerOptions& options)
    : config_(std::move(config)),
      arithmetic_(BitNetConfig::b158().with_eps(static_cast<float>(config_.rms_norm_eps))),
      rotary_(static_cast<std::int64_t>(config_.head_dim), config_.rope_theta, rope_factor(config_),
              static_cast<std::int64_t>(config_.max_position_embeddings)) {
  if (config_.rope_local_theta) {
    local_rotary_ =
        RotaryTable(static_cast<std::int64_t>(config_.head_dim), *config_.rope_local_theta, 1,
                    static_cast<std::int64_t>(config_.max_position_embeddings));
  }
  const ModelFamily& family = find_model_family(config_);
  embedding_scale_ = bitnet::embedding_scale(config_, family);
  gains_add_one_ = (family.weights & kSandwichNorms) != 0;
  std::map<std::string, torch::Tensor> parameters;      // by GGUF name
  std::map<std::string, std::string> projection_names;  // GGUF to Hugging Face
  for (const WeightName& name : weight_names(config_, family)) {
    projection_names[name.gguf] = without_weight(name.hugging_face);
    const bool is_packed = options.packed && name.role == WeightRole::projection;
    if ((name.required || options.projection_norms) && !is_packed) {
      const torch::Tensor value = initial_value(name, options.initializer_range);
      register_at(*this, name.hugging_face, value);
      parameters[name.gguf] = value;
    }
  }
  const auto find = [&](const std::string& name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? torch::Tensor() : found->second;
  };
  const auto linear = [&](const std::string& prefix, const std::string& name) {
    TernaryLinear result{.name = projection_names.at(prefix + name + ".weight"),
                         .weight = find(prefix + name + ".weight"),
                         .packed = {},
                         .norm = find(prefix + name + "_norm_in.weight"),
                         .update = {}};
    if (options.packed) {
      result.packed = options.packed(result.name);
    }
    return result;
  };
  embedding_ = find("token_embd.weight");
  norm_ = find("output_norm.weight");
  head_ = !family.has_head              ? torch::Tensor()
          : config_.tie_word_embeddings ? embedding_
                                        : find("output.weight");
  for (std::size_t i = 0; i < config_.num_hidden_layers; ++i) {
    layers_.push_back(assemble_layer<TransformerLayer>(config_, i, find, linear));
  }
}

std::vector<TernaryLinear> TransformerImpl::projections() const {
  std::vector<TernaryLinear> all;
  for (const TransformerLayer& layer : layers_) {
    for (const auto member : kProjections) {
      all.push_back(layer.*member);
    }
  }
  return all;
}

void TransformerImpl::add_low_rank_updates(std::int64_t rank, double scale,
                                           const std::vector<std::string>& target_modules) {
  for (const std::string& target : target_modules) {
    bool found = false;
    for (TransformerLayer& layer : layers_) {
      for (const auto member : kProjections) {
        TernaryLinear& projection = layer.*member;
        if (!projection.name.ends_with("." + target)) {
          continue;
        }
        found = true;
        const std::int64_t rows = projection.out_features();
        const std::int64_t columns = projection.in_features();
        const double bound = 1 / std::sqrt(static_cast<double>(columns));
        projection.update = {torch::empty({rank, columns}).uniform_(-bound, bound),
                             torch::zeros({rows, rank}), scale};
        register_at(*this, projection.name + ".lora_A.weight", projection.update.a);
        register_at(*this, projection.name + ".lora_B.weight", projection.update.b);
      }
    }
    if (!found) {
      throw InvalidArgument(
          message("target module: expected q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or "
                  "down_proj, "
                  "found ",
                  target));
    }
  }
}

// ---- The forward pass; src/model/transformer.cpp is its counterpart ----

torch::Tensor TransformerImpl::hidden_states(const torch::Tensor& ids, AttentionTap* tap) {
  if (ids.dim() != 2 || ids.size(1) > rotary_.cosines.size(0)) {
    throw InvalidArgument(message("token ids: expected [B, S] with S up to ",
                                  rotary_.cosines.size(0), ", found ", ids.sizes()));
  }
  torch::Tensor states = torch::embedding(embedding_, ids);
  if (embedding_scale_ != 1) {
    states = states * embedding_scale_;
  }
  const auto kept = [&](const torch::Tensor& x) {
    return dropout_ == 0 ? x : torch::dropout(x, dropout_, is_training());
  };
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    AttentionInputs* const tapped = tap != nullptr && tap->layer == i ? &tap->inputs : nullptr;
    states = states + kept(attention(layers_[i], states, tapped));
    states = states + kept(feed_forward(layers_[i], states));
  }
  return norm(states, norm_);
}

/// Lin_o(Norm(softmax(q kᵀ / √D, causal) v))  with  q, k, v = Lin(Norm(h)), q and k rotated
torch::Tensor TransformerImpl::attention(const TransformerLayer& layer, const torch::Tensor& states,
                                         AttentionInputs* tapped) {
  std::vector<torch::Tensor> qkv =
      project(states, layer.attention_norm, {&layer.q_proj, &layer.k_proj, &layer.v_proj});
  const auto head_dim = static_cast<std::int64_t>(config_.head_dim);
  const auto norm_heads = [&](torch::Tensor& x, const torch::Tensor& gain) {
    if (gain.defined()) {
      x = norm(x.view({x.size(0), x.size(1), -1, head_dim}), gain).view(x.sizes());
    }
  };
  norm_heads(qkv[0], layer.q_norm);
  norm_heads(qkv[1], layer.k_norm);
  if (tapped != nullptr) {
    *tapped = {qkv[0], qkv[1], qkv[2]};
  }
  const AttentionOptions options{
      .heads = static_cast<std::int64_t>(config_.num_attention_heads),
      .kv_heads = static_cast<std::int64_t>(config_.num_key_value_heads),
      .score_scale = 1 / std::sqrt(config_.query_pre_attn_scalar.value_or(
                             static_cast<double>(config_.head_dim))),
      .window = layer.sliding ? static_cast<std::int64_t>(config_.sliding_window.value_or(0)) : 0,
      .precision = precision_};
  const RotaryTable& rotary =
      layer.sliding && local_rotary_.cosines.defined() ? local_rotary_ : rotary_;
  const torch::Tensor context = causal_attention(qkv[0], qkv[1], qkv[2], rotary, options);
  return norm(project(context, layer.attention_sub_norm, {&layer.o_proj})[0],
              layer.attention_post_norm);
}

/// Lin_down(Norm(act(Lin_gate(f)) ⊙ Lin_up(f)))  with  f = Norm(h)
torch::Tensor TransformerImpl::feed_forward(const TransformerLayer& layer,
                                            const torch::Tensor& states) {
  const std::vector<torch::Tensor> parts =
      project(states, layer.feed_forward_norm, {&layer.gate_proj, &layer.up_proj});
  const torch::Tensor gated = gated_activation(parts[0], parts[1], config_.hidden_act);
  return norm(project(gated, layer.feed_forward_sub_norm, {&layer.down_proj})[0],
              layer.feed_forward_post_norm);
}

std::vector<torch::Tensor> TransformerImpl::project(
    const torch::Tensor& x, const torch::Tensor& gain,
    const std::vector<const TernaryLinear*>& projections) {
  try {
    const torch::Tensor normed = norm(x, gain);
    std::vector<torch::Tensor> results;
    if (projections.front()->norm.defined()) {
      for (const TernaryLinear* projection : projections) {
        const torch::Tensor input = rms_norm(normed, projection->norm, config_.rms_norm_eps);
        results.push_back(multiply(input, {projection})[0]);
      }
    } else {
      results = multiply(normed, projections);
    }
    for (std::size_t i = 0; i < projections.size(); ++i) {
      if (const LowRankUpdate& update = projections[i]->update; update.a.defined()) {
        const torch::Tensor inner = float_linear(normed, update.a);
        results[i] = results[i] + float_linear(inner, update.b) * update.scale;
      }
    }
    return results;
  } catch (const QuantizationError& error) {
    throw QuantizationError(message(projections.front()->name, ": ", error.what()));
  }
}

std::vector<torch::Tensor> TransformerImpl::multiply(
    const torch::Tensor& x, const std::vector<const TernaryLinear*>& projections) {
  if (projections.front()->packed) {
    std::vector<FrozenTernaryPtr> weights;
    for (const TernaryLinear* projection : projections) {
      weights.push_back(projection->packed);
    }
    return bit_linear(x, weights, arithmetic_);
  }
  std::vector<torch::Tensor> weights;
  for (const TernaryLinear* projection : projections) {
    weights.push_back(projection->weight);
  }
  return bit_linear(x, weights, arithmetic_, lambda_, precision_);
}

torch::Tensor TransformerImpl::float_linear(const torch::Tensor& x, const torch::Tensor& weight) {
  return bit_linear(x, {weight}, arithmetic_, 0, precision_)[0];
}

torch::Tensor TransformerImpl::norm(const torch::Tensor& x, const torch::Tensor& gain) const {
  if (!gain.defined()) {
    return x;
  }
  return rms_norm(x, gains_add_one_ ? gain + 1 : gain, config_.rms_norm_eps);
}

torch::Tensor TransformerImpl::forward(const torch::Tensor& ids) {
  if (!head_.defined()) {
    throw UnsupportedError("this is an embedding model: it has no output head");
  }
  return float_linear(hidden_states(ids), head_);
}

torch::Tensor TransformerImpl::loss(const torch::Tensor& ids, const torch::Tensor& targets,
                                    double denominator) {
  if (denominator == 0) {
    denominator = std::max<double>(1, (targets >= 0).sum().item<double>());
  }
  return loss_of_states(hidden_states(ids), targets, denominator);
}

torch::Tensor TransformerImpl::loss_of_states(const torch::Tensor& states,
                                              const torch::Tensor& targets, double denominator,
                                              const TeacherLogits& teacher) const {
  if (!head_.defined()) {
    throw UnsupportedError("this is an embedding model: it has no output head");
  }
  return linear_cross_entropy(states.reshape({-1, states.size(-1)}), head_, targets.reshape({-1}),
                              denominator, precision_, teacher,
                              is_training() ? label_smoothing_ : 0);
}

}  // namespace bitnet::train
