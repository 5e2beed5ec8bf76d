// SPDX-License-Identifier: MIT
#include "model/transformer.h"

#include <bitnet/error.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/message.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "model/layer_assembly.h"

namespace bitnet {
namespace {

/// Tokens computed at once: bounds the buffers.
constexpr std::size_t kPartTokens = 512;

void gate_exact_gelu(const float* gate, const float* up, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const double g = gate[i];
    out[i] = static_cast<float>(0.5 * g * (1 + std::erf(g * M_SQRT1_2))) * up[i];
  }
}

auto choose_gate(const std::string& hidden_act, const kernels::KernelTable& kernels) {
  if (hidden_act == "relu2") {
    return kernels.gate_relu2;
  }
  if (hidden_act == "silu") {
    return kernels.gate_silu;
  }
  if (hidden_act == "gelu_pytorch_tanh") {
    return kernels.gate_gelu;
  }
  if (hidden_act == "gelu") {
    return gate_exact_gelu;
  }
  throw UnsupportedError(
      message("hidden_act: expected relu2, silu, gelu or gelu_pytorch_tanh, found ", hidden_act));
}

BitNetConfig arithmetic_of(const ModelConfig& config) {
  return BitNetConfig::b158().with_eps(static_cast<float>(config.rms_norm_eps));
}

TensorView view(const AlignedVector<float>& x, std::size_t columns) {
  return TensorView(x.data(), Shape{x.size() / columns, columns});
}

template <class Body>
void for_each_projection(const LayerWeights& layer, Body body) {
  for (const Projection* projection : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj,
                                       &layer.gate_proj, &layer.up_proj, &layer.down_proj}) {
    body(*projection);
  }
}

/// Adds the seconds that it lives to a sum.
class Timer {
 public:
  explicit Timer(double& seconds) : seconds_(seconds) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_ = Clock::now();
};

std::size_t update_bytes(const Projection& projection) {
  std::size_t bytes = 0;
  for (const LowRankUpdate& update : projection.updates) {
    bytes += update.memory_bytes();
  }
  return bytes;
}

}  // namespace

Transformer::Transformer(ModelConfig config, ModelWeights weights, std::vector<std::string> notes,
                         const Runtime& runtime)
    : runtime_(runtime),
      config_(std::move(config)),
      weights_(std::move(weights)),
      notes_(std::move(notes)),
      arithmetic_(arithmetic_of(config_)),
      gate_(choose_gate(config_.hidden_act, runtime.kernels())),
      rotary_(config_.head_dim, config_.rope_theta, rope_factor(config_),
              config_.max_position_embeddings) {
  if (config_.rope_local_theta) {
    local_rotary_.emplace(config_.head_dim, *config_.rope_local_theta, 1.0,
                          config_.max_position_embeddings);
  }
}

// ---- The forward pass ----

void Transformer::run_layers() {
  const std::size_t hidden = config_.hidden_size;
  hidden_.resize(ids_.size() * hidden);
  runtime_.pool().parallel_for_runs(ids_.size(), [&](std::size_t t) {
    float* const row = hidden_.data() + t * hidden;
    weights_.embedding.read_row(ids_[t], runtime_, row);
    if (weights_.embedding_scale != 1) {
      std::transform(row, row + hidden, row,
                     [this](float x) { return x * weights_.embedding_scale; });
    }
  });
  observe("embedding", 0);
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    attention(weights_.layers[i], i);
    feed_forward(weights_.layers[i]);
    observe("layer", i);
  }
}

/// h += Lin_o(Norm(softmax(q kᵀ / √D, causal) v))  with  q, k, v = Lin(Norm(h)), q and k rotated
void Transformer::attention(const LayerWeights& layer, std::size_t index) {
  project(hidden_, layer.attention_norm,
          {{layer.q_proj, query_}, {layer.k_proj, key_}, {layer.v_proj, value_}});
  normalize(query_, config_.head_dim, layer.q_norm);
  normalize(key_, config_.head_dim, layer.k_norm);
  const RotaryEmbedding& rotary = layer.sliding && local_rotary_ ? *local_rotary_ : rotary_;
  rotate_and_cache(index, rotary);
  context_.resize(query_.size());
  const double scale_of =
      config_.query_pre_attn_scalar.value_or(static_cast<double>(config_.head_dim));
  {
    const Timer timer(time_.attention);
    attend(places_, index,
           {.heads = config_.num_attention_heads,
            .score_scale = static_cast<float>(1 / std::sqrt(scale_of)),
            .window = layer.sliding ? config_.sliding_window.value_or(0) : 0},
           query_.data(), context_.data(), runtime_);
  }
  project(context_, layer.attention_sub_norm, {{layer.o_proj, projected_}});
  add_residual(projected_, layer.attention_post_norm);
}

/// h += Lin_down(Norm(act(Lin_gate(f)) ⊙ Lin_up(f)))  with  f = Norm(h)
void Transformer::feed_forward(const LayerWeights& layer) {
  const std::size_t width = config_.intermediate_size;
  if (layer.gate_proj.norm.empty() && layer.gate_proj.updates.empty() &&
      layer.up_proj.updates.empty()) {
    quantize(hidden_, layer.feed_forward_norm, layer.gate_proj);
    gate_values_.resize(panel_.tokens * width);
    up_values_.resize(gate_values_.size());
    const Timer timer(time_.projections);
    gated_ternary_matmul({&layer.gate_proj.weight, gate_values_},
                         {&layer.up_proj.weight, up_values_}, gate_, panel_, codes_.scales,
                         runtime_);
  } else {
    project(hidden_, layer.feed_forward_norm,
            {{layer.gate_proj, gate_values_}, {layer.up_proj, up_values_}});
    runtime_.pool().parallel_for_runs(ids_.size(), [&](std::size_t t) {
      float* const gate = gate_values_.data() + t * width;
      gate_(gate, up_values_.data() + t * width, width, gate);
    });
  }
  project(gate_values_, layer.feed_forward_sub_norm, {{layer.down_proj, projected_}});
  add_residual(projected_, layer.feed_forward_post_norm);
}

void Transformer::project(const Floats& x, const std::vector<float>& norm,
                          std::initializer_list<Projected> outputs) {
  const Projection& first = outputs.begin()->projection;
  const bool has_own_norms = !first.norm.empty();
  const bool has_updates = std::ranges::any_of(
      outputs, [](const Projected& output) { return !output.projection.updates.empty(); });
  if (!has_own_norms && !has_updates) {
    quantize(x, norm, first);  // once for all of them
    multiply(outputs);
    return;
  }
  const Floats& input = normed(x, norm, first.weight.in_features());
  if (!has_own_norms) {
    quantize(input, first.norm, first);
    multiply(outputs);
  }
  for (const Projected& output : outputs) {
    if (has_own_norms) {
      quantize(input, output.projection.norm, output.projection);
      multiply({output});
    }
    for (const LowRankUpdate& update : output.projection.updates) {
      update.add_to(input, output.out, inner_, runtime_);
    }
  }
}

void Transformer::quantize(const Floats& x, const std::vector<float>& norm,
                           const Projection& projection) {
  const TensorView values = view(x, projection.weight.in_features());
  if (norm.empty()) {
    quantize_activations(values, arithmetic_, codes_, runtime_);
  } else {
    rms_norm_quantize(values, norm, arithmetic_, codes_, runtime_);
  }
  panel_.assign(codes_.data, codes_.tokens(), projection.weight, runtime_);
}

void Transformer::multiply(std::initializer_list<Projected> outputs) {
  products_.clear();
  for (const Projected& output : outputs) {
    output.out.resize(panel_.tokens * output.projection.weight.out_features());
    products_.push_back({&output.projection.weight, output.out});
  }
  const Timer timer(time_.projections);
  ternary_matmul(products_, panel_, codes_.scales, runtime_);
}

const Transformer::Floats& Transformer::normed(const Floats& x, const std::vector<float>& norm,
                                               std::size_t columns) {
  if (norm.empty()) {
    return x;
  }
  normalized_.resize(x.size());
  rms_norm(view(x, columns), norm, arithmetic_.eps, normalized_, runtime_);
  return normalized_;
}

void Transformer::normalize(Floats& x, std::size_t columns, const std::vector<float>& gain) {
  if (!gain.empty()) {
    rms_norm(view(x, columns), gain, arithmetic_.eps, x, runtime_);
  }
}

void Transformer::rotate_and_cache(std::size_t layer, const RotaryEmbedding& rotary) {
  const kernels::KernelTable& kernels = runtime_.kernels();
  const std::size_t query_width = config_.num_attention_heads * config_.head_dim;
  const std::size_t key_width = config_.num_key_value_heads * config_.head_dim;
  runtime_.pool().parallel_for_runs(ids_.size(), [&](std::size_t t) {
    const auto& [cache, position] = places_[t];
    const auto rotate_heads = [&, at = position](float* x, std::size_t width) {
      for (std::size_t d = 0; d < width; d += config_.head_dim) {
        rotary.apply(x + d, at, kernels);
      }
    };
    rotate_heads(query_.data() + t * query_width, query_width);
    rotate_heads(key_.data() + t * key_width, key_width);
    cache->write(layer, position, key_.data() + t * key_width, value_.data() + t * key_width,
                 kernels);
  });
}

void Transformer::add_residual(Floats& x, const std::vector<float>& post_norm) {
  const std::size_t hidden = config_.hidden_size;
  normalize(x, hidden, post_norm);
  runtime_.pool().parallel_for_runs(ids_.size(), [&](std::size_t t) {
    runtime_.kernels().add_to(x.data() + t * hidden, hidden, hidden_.data() + t * hidden);
  });
}

void Transformer::observe(std::string_view name, std::size_t index) const {
  if (observer_) {
    observer_(name, index, hidden_);
  }
}

// ---- Batches ----

void Transformer::run(std::span<const SequenceStep> batch,
                      const std::function<void(std::size_t, const float*)>& finish) {
  const std::size_t hidden = config_.hidden_size;
  const auto start_part = [&] {
    ids_.clear();
    places_.clear();
    wanted_.clear();
  };
  const auto run_part = [&] {
    run_layers();
    states_.resize(wanted_.size() * hidden);
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      std::copy_n(hidden_.data() + wanted_[i] * hidden, hidden, states_.data() + i * hidden);
    }
    if (!wanted_.empty()) {
      rms_norm(view(states_, hidden), weights_.norm, arithmetic_.eps, states_, runtime_);
      finish(wanted_.size(), states_.data());
    }
    start_part();
  };
  start_part();
  sizes_.clear();
  std::ranges::transform(batch, std::back_inserter(sizes_),
                         [](const SequenceStep& step) { return step.cache->size(); });
  try {
    for (const SequenceStep& step : batch) {
      auto& cache = static_cast<PagedKvCache&>(*step.cache);
      for (std::size_t i = 0; i < step.tokens.size(); ++i) {
        if (i + step.rows() >= step.tokens.size()) {  // all rows, the last, or none
          wanted_.push_back(ids_.size());
        }
        cache.extend(1);
        ids_.push_back(step.tokens[i]);
        places_.push_back({&cache, cache.size() - 1});
        if (ids_.size() == kPartTokens) {
          run_part();
        }
      }
    }
    if (!ids_.empty()) {
      run_part();
    }
  } catch (...) {  // what was appended may be half written
    for (std::size_t i = 0; i < batch.size(); ++i) {
      batch[i].cache->truncate(sizes_[i]);
    }
    throw;
  }
}

void Transformer::check(std::span<const SequenceStep> batch, std::size_t width,
                        std::size_t output_size) const {
  std::size_t rows = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const SequenceStep& step = batch[i];
    const auto* const cache = dynamic_cast<const PagedKvCache*>(step.cache);
    if (cache == nullptr || cache->layout().head_dim() != config_.head_dim ||
        cache->layout().kv_heads() != config_.num_key_value_heads) {
      throw InvalidArgument("forward: expected a KV cache that this model made");
    }
    const auto is_same = [&](const SequenceStep& other) { return other.cache == step.cache; };
    if (std::ranges::any_of(batch.first(i), is_same)) {
      throw InvalidArgument("forward: expected each KV cache once in a batch, found one twice");
    }
    if (step.tokens.empty()) {
      throw InvalidArgument("forward: expected at least one token in each step, found none");
    }
    const auto bad =
        std::ranges::find_if(step.tokens, [this](TokenId id) { return id >= config_.vocab_size; });
    if (bad != step.tokens.end()) {
      throw InvalidArgument(
          message("forward: expected token ids below ", config_.vocab_size, ", found ", *bad));
    }
    if (step.tokens.size() > cache->capacity() - cache->size()) {
      throw InvalidArgument(message("forward: the context is full: it holds ", cache->size(),
                                    " of ", cache->capacity(), " tokens, and ", step.tokens.size(),
                                    " more do not fit"));
    }
    rows += step.rows();
  }
  if (output_size != rows * width) {
    throw InvalidArgument(message("forward: expected an output of ", rows, " x ", width,
                                  " numbers, found ", output_size));
  }
}

void Transformer::forward(std::span<const SequenceStep> batch, std::span<float> logits) {
  if (!weights_.head) {
    throw UnsupportedError("this is an embedding model: it has no output head");
  }
  check(batch, config_.vocab_size, logits.size());
  time_ = {};
  const Timer total(time_.total);
  struct {
    float* out;
    bool needs_all;
    std::size_t top;  // the most that a step asks for
  } head{logits.data(), !weights_.sketch, 0};
  for (const SequenceStep& step : batch) {
    head.needs_all = head.needs_all || (step.top == 0 && step.rows() != 0);
    head.top = std::max(head.top, step.top);
  }
  // One more reference, and std::function would allocate for each token.
  run(batch, [this, &head](std::size_t rows, const float* states) {
    const Timer timer(time_.head);
    if (head.needs_all) {
      weights_.head->multiply(states, rows, head.out, runtime_);
    } else {
      weights_.sketch->multiply_top(states, rows, head.top, head.out, runtime_);
    }
    head.out += rows * config_.vocab_size;
  });
}

void Transformer::hidden_states(std::span<const SequenceStep> batch, std::span<float> states) {
  check(batch, config_.hidden_size, states.size());
  time_ = {};
  const Timer total(time_.total);
  float* out = states.data();
  run(batch, [&](std::size_t rows, const float* normed) {
    out = std::copy_n(normed, rows * config_.hidden_size, out);
  });
}

// ---- Caches and sizes ----

std::shared_ptr<KvPagePool> Transformer::pool_of(CacheType type) const {
  const std::lock_guard lock(pools_mutex_);
  const auto found = std::ranges::find_if(
      pools_, [type](const auto& pool) { return pool->layout().type() == type; });
  if (found != pools_.end()) {
    return *found;
  }
  return pools_.emplace_back(std::make_shared<KvPagePool>(
      KvLayout(config_.num_hidden_layers, config_.num_key_value_heads, config_.head_dim, type)));
}

std::unique_ptr<KvCache> Transformer::new_kv_cache(std::size_t max_tokens,
                                                   std::optional<CacheType> type) const {
  if (max_tokens == 0 || max_tokens > max_positions()) {
    throw InvalidArgument(message("context: expected 1 to ", max_positions(),
                                  " tokens (max_position_embeddings), found ", max_tokens));
  }
  return std::make_unique<PagedKvCache>(pool_of(type.value_or(default_cache_type())), max_tokens);
}

CacheType Transformer::default_cache_type() const {
  constexpr std::size_t kSmall = 16384;
  return cache_bytes_per_position(CacheType::f16) <= kSmall ? CacheType::f32 : CacheType::f16;
}

std::size_t Transformer::cache_bytes_per_position(CacheType type) const {
  return KvLayout(config_.num_hidden_layers, config_.num_key_value_heads, config_.head_dim, type)
             .page_bytes() /
         KvLayout::kPagePositions;
}

std::size_t Transformer::cache_bytes_read(std::size_t position, CacheType type) const {
  const std::size_t window = config_.sliding_window.value_or(position + 1);
  std::size_t positions = 0;  // of all layers
  for (const LayerWeights& layer : weights_.layers) {
    positions += layer.sliding ? std::min(position + 1, window) : position + 1;
  }
  return positions * cache_bytes_per_position(type) / config_.num_hidden_layers;
}

ModelMemory Transformer::memory() const {
  ModelMemory memory;
  for (const LayerWeights& layer : weights_.layers) {
    for_each_projection(layer, [&](const Projection& projection) {
      memory.projections += projection.weight.memory_bytes();
      memory.norms += projection.norm.size() * sizeof(float);
      memory.adapters += update_bytes(projection);
    });
    for (const std::vector<float>* norm :
         {&layer.attention_norm, &layer.q_norm, &layer.k_norm, &layer.attention_sub_norm,
          &layer.attention_post_norm, &layer.feed_forward_norm, &layer.feed_forward_sub_norm,
          &layer.feed_forward_post_norm}) {
      memory.norms += norm->size() * sizeof(float);
    }
  }
  memory.norms += weights_.norm.size() * sizeof(float);
  memory.head = weights_.head ? weights_.head->memory_bytes() : 0;
  memory.head_sketch = weights_.sketch ? weights_.sketch->memory_bytes() : 0;
  memory.embedding = config_.tie_word_embeddings ? 0 : weights_.embedding.memory_bytes();
  return memory;
}

std::size_t Transformer::bytes_per_token(bool all_logits) const {
  std::size_t bytes = weights_.sketch && !all_logits ? weights_.sketch->memory_bytes()
                      : weights_.head                ? weights_.head->stored_bytes()
                                                     : 0;
  for (const LayerWeights& layer : weights_.layers) {
    for_each_projection(layer, [&](const Projection& projection) {
      bytes += projection.weight.memory_bytes() + update_bytes(projection);
    });
  }
  return bytes;
}

}  // namespace bitnet
