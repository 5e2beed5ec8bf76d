// SPDX-License-Identifier: MIT
// Distillation: a model learns from another one's logits and attention, beside the text.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/train/transformer.h>

#include <cstdint>

namespace bitnet::train {

/// Loss = cross-entropy + logits τ² KL + relations attention_relation_loss (BitDistill,
/// 2510.13998). Where the paper's code divides sums by a batch, means over tokens stand here.
struct DistillationOptions {
  double logits = 1;
  double temperature = 5;  ///< τ
  double relations = 0;
  /// That is compared, from 0 on, in both models; less than 0: the one behind 6/7 of the student's,
  /// as BitDistill's default.
  std::int64_t relation_layer = -1;
  std::int64_t relation_heads = 0;  ///< 0: as many as the student has KV heads
};

class Teacher {
 public:
  /// Floats are a float model; a packed checkpoint is ternary, as it would run. InvalidArgument
  /// where the teacher cannot judge such a student: another vocabulary, fewer layers or positions,
  /// heads that do not divide.
  Teacher(const Checkpoint& checkpoint, const DistillationOptions& options,
          const ModelConfig& student);

  Transformer& model() { return model_; }

  /// As TransformerImpl::loss, and what the options add.
  torch::Tensor loss(TransformerImpl& student, const torch::Tensor& ids,
                     const torch::Tensor& targets, double denominator);

 private:
  DistillationOptions options_;
  Transformer model_;
};

}  // namespace bitnet::train
