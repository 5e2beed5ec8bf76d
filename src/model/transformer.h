// SPDX-License-Identifier: MIT
// Transformer: the forward pass of every family that we know, on the CPU.
//
// Legend: T tokens of a batch, H query heads, G KV heads, D head_dim, F intermediate_size,
// V vocabulary.
#pragma once

#include <bitnet/model.h>
#include <bitnet/quantize.h>
#include <bitnet/ternary_weight.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_vector.h"
#include "kernels/ternary_matmul.h"
#include "layers/attention.h"
#include "layers/kv_cache.h"
#include "layers/low_rank_update.h"
#include "layers/rotary_embedding.h"
#include "model/float_matrix.h"
#include "model/head_sketch.h"

namespace bitnet {

/// BitLinear with the norm that some families put right in front of it.
struct Projection {
  TernaryWeight weight;
  std::vector<float> norm;  // [K] or empty
  std::vector<LowRankUpdate> updates = {};
};

/// One layer. Norms are gain vectors, empty where the family has none.
struct LayerWeights {
  std::vector<float> attention_norm;          // [hidden]
  Projection q_proj, k_proj, v_proj;          // [H D, hidden], [G D, hidden], [G D, hidden]
  std::vector<float> q_norm, k_norm;          // [D]: Qwen3, Gemma 3
  std::vector<float> attention_sub_norm;      // [H D]: BitNet
  Projection o_proj;                          // [hidden, H D]
  std::vector<float> attention_post_norm;     // [hidden]: Gemma 3
  std::vector<float> feed_forward_norm;       // [hidden]
  Projection gate_proj, up_proj;              // [F, hidden]
  std::vector<float> feed_forward_sub_norm;   // [F]: BitNet
  Projection down_proj;                       // [hidden, F]
  std::vector<float> feed_forward_post_norm;  // [hidden]: Gemma 3
  bool sliding = false;                       // sees ModelConfig::sliding_window positions
};

struct ModelWeights {
  FloatMatrix embedding;  // [V, hidden]
  float embedding_scale = 1;
  std::vector<LayerWeights> layers;
  std::vector<float> norm;          // [hidden]
  std::optional<FloatMatrix> head;  // [V, hidden]; absent in an embedding model
  std::optional<HeadSketch> sketch;
};

class Transformer : public LanguageModel {
 public:
  /// The runtime must outlive the model. UnsupportedError for an activation or a RoPE scaling that
  /// is not implemented.
  Transformer(ModelConfig config, ModelWeights weights, std::vector<std::string> notes,
              const Runtime& runtime);

  const ModelConfig& config() const override { return config_; }
  std::size_t max_positions() const override { return config_.max_position_embeddings; }
  std::unique_ptr<KvCache> new_kv_cache(std::size_t max_tokens,
                                        std::optional<CacheType> type) const override;
  CacheType default_cache_type() const override;
  std::size_t cache_bytes_per_position(CacheType type) const override;
  std::size_t cache_bytes_read(std::size_t position, CacheType type) const override;
  void forward(std::span<const SequenceStep> batch, std::span<float> logits) override;
  void hidden_states(std::span<const SequenceStep> batch, std::span<float> states) override;
  ForwardTime last_time() const override { return time_; }
  ModelMemory memory() const override;
  std::size_t bytes_per_token(bool all_logits) const override;
  const std::vector<std::string>& notes() const override { return notes_; }

  /// Called with "embedding", then "layer" and its index, and the residual stream [T, hidden]
  /// behind it, for each part of a batch that is computed at once.
  using Observer =
      std::function<void(std::string_view name, std::size_t index, std::span<const float> values)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

 private:
  using Floats = AlignedVector<float>;

  void check(std::span<const SequenceStep> batch, std::size_t wanted_width,
             std::size_t output_size) const;
  /// Calls finish(rows, states [rows, hidden]) for the wanted rows of each part, in order.
  void run(std::span<const SequenceStep> batch,
           const std::function<void(std::size_t rows, const float* states)>& finish);
  /// The layers over ids_ [T]; leaves the residual stream in hidden_.
  void run_layers();
  void attention(const LayerWeights& layer, std::size_t index);
  void feed_forward(const LayerWeights& layer);
  struct Projected {
    const Projection& projection;
    Floats& out;  // [T, N]
  };
  /// out = BitLinear(Norm(x; norm)) for each projection; no norm when it is empty. Adapters read
  /// Norm(x; norm) as floats.
  void project(const Floats& x, const std::vector<float>& norm,
               std::initializer_list<Projected> outputs);
  /// Norm(x; norm) as codes, into codes_ and panel_.
  void quantize(const Floats& x, const std::vector<float>& norm, const Projection& projection);
  /// out = codes times weights
  void multiply(std::initializer_list<Projected> outputs);
  /// Norm(x; norm) as floats: x itself without a norm, else normalized_.
  const Floats& normed(const Floats& x, const std::vector<float>& norm, std::size_t columns);
  void normalize(Floats& x, std::size_t columns, const std::vector<float>& gain);
  /// Rotates queries and keys [T, heads, D] and stores keys and values.
  void rotate_and_cache(std::size_t layer, const RotaryEmbedding& rotary);
  void add_residual(Floats& x, const std::vector<float>& post_norm);
  void observe(std::string_view name, std::size_t index) const;
  std::shared_ptr<KvPagePool> pool_of(CacheType type) const;

  const Runtime& runtime_;
  ModelConfig config_;
  ModelWeights weights_;
  std::vector<std::string> notes_;
  BitNetConfig arithmetic_;  // b158, with the model's eps
  Gate gate_;
  RotaryEmbedding rotary_;
  std::optional<RotaryEmbedding> local_rotary_;  // of sliding layers
  Observer observer_;
  ForwardTime time_;
  mutable std::mutex pools_mutex_;
  mutable std::vector<std::shared_ptr<KvPagePool>> pools_;  // one for each cache type in use

  // Buffers of one part of a batch, kept between calls.
  std::vector<TokenId> ids_;            // [T]
  std::vector<AttentionToken> places_;  // [T]
  std::vector<std::size_t> wanted_;     // rows whose states are asked for
  std::vector<std::size_t> sizes_;      // of the batch's caches, before it
  Floats hidden_;                       // [T, hidden]: the residual stream
  Floats normalized_;                   // [T, hidden]
  Floats query_, key_, value_;          // [T, H D], [T, G D], [T, G D]
  Floats context_;                      // [T, H D]
  Floats gate_values_, up_values_;      // [T, F]
  Floats projected_;                    // [T, hidden]
  Floats states_;                       // [wanted rows, hidden]
  QuantizedActivations codes_;
  ActivationPanel panel_;
  std::vector<TernaryProduct> products_;
  Floats inner_;  // [T, r] of an adapter
};

}  // namespace bitnet
