// SPDX-License-Identifier: MIT
// BitNetAdapter: LoRA (arXiv 2106.09685) on a frozen ternary base.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/lora.h>
#include <bitnet/train/transformer.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bitnet::train {

struct BitNetAdapterConfig {
  std::int64_t rank = 16;
  double alpha = 32;  ///< the update counts alpha / rank
  std::vector<std::string> target_modules = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                             "gate_proj", "up_proj", "down_proj"};
  std::uint64_t seed = 1;  ///< of A; B begins as zero, so that nothing changes at first

  /// Throws InvalidArgument naming field, value and what is allowed.
  void validate() const;
};

/// The base stays packed and is multiplied with by the integer kernels, forward; gradients reach A
/// and B alone. `bitnet run --lora` computes what forward does.
class BitNetAdapter {
 public:
  BitNetAdapter(const Checkpoint& base, const BitNetAdapterConfig& config = {});

  const BitNetAdapterConfig& config() const { return config_; }
  /// Logits [B, S, V] of ids int64 [B, S].
  torch::Tensor forward(const torch::Tensor& ids) { return model_->forward(ids); }
  torch::Tensor loss(const torch::Tensor& ids, const torch::Tensor& targets) {
    return model_->loss(ids, targets);
  }
  const Transformer& model() const { return model_; }

  /// Whether A and B learn; they do at first.
  void freeze() { set_learning(false); }
  void unfreeze() { set_learning(true); }
  /// Of A and B together.
  std::int64_t num_parameters() const;
  /// Bytes of the base's projections in float32 over those that are kept, adapter included.
  double compression_ratio() const;

  /// For save_lora, under PEFT's names.
  LoraAdapter to_lora() const;

 private:
  void set_learning(bool learns);

  BitNetAdapterConfig config_;
  std::string base_name_;
  Transformer model_;
};

/// The updates of a model as PEFT's adapter, for save_lora; alpha is scale times rank.
LoraAdapter lora_of(const TransformerImpl& model, const std::string& base_model = "");
/// Back into the model's updates. FormatError for an adapter of other projections or another rank.
void restore_lora(TransformerImpl& model, const LoraAdapter& adapter);
bool has_updates(const TransformerImpl& model);

}  // namespace bitnet::train
