// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/distillation.h>
#include <bitnet/train/model_folder.h>
#include <torch/torch.h>

#include "base/message.h"

namespace bitnet::train {
namespace {

/// The positions up to the last one of each text that has a target: behind them is padding.
torch::Tensor positions_in_use(const torch::Tensor& targets) {
  return (targets >= 0).flip(1).cumsum(1).flip(1) > 0;
}

/// The layer is there, and the heads divide what its attention compares.
void require_relations_of(const ModelConfig& config, const DistillationOptions& options) {
  const auto layer = static_cast<std::uint64_t>(options.relation_layer);
  const auto heads = static_cast<std::uint64_t>(options.relation_heads);
  if (layer >= config.num_hidden_layers) {
    throw InvalidArgument(message("relation layer: expected less than ", config.num_hidden_layers,
                                  ", found ", layer));
  }
  for (const std::uint64_t own : {config.num_attention_heads, config.num_key_value_heads}) {
    if (own * config.head_dim % heads != 0) {
      throw InvalidArgument(message("relation heads: expected a divisor of ", own * config.head_dim,
                                    ", found ", heads));
    }
  }
}

}  // namespace

Teacher::Teacher(const Checkpoint& checkpoint, const DistillationOptions& options,
                 const ModelConfig& student)
    : options_(options), model_(load_transformer(checkpoint)) {
  const ModelConfig& config = model_->config();
  if (config.vocab_size != student.vocab_size || !model_->head().defined()) {
    throw InvalidArgument(message("teacher: expected logits of ", student.vocab_size,
                                  " tokens, the student's, found ",
                                  model_->head().defined() ? config.vocab_size : 0));
  }
  if (config.max_position_embeddings < student.max_position_embeddings) {
    throw InvalidArgument(message("teacher: expected at least ", student.max_position_embeddings,
                                  " positions, found ", config.max_position_embeddings));
  }
  if (options_.relation_layer < 0) {
    options_.relation_layer = static_cast<std::int64_t>(student.num_hidden_layers * 6 / 7);
  }
  if (options_.relation_heads == 0) {
    options_.relation_heads = static_cast<std::int64_t>(student.num_key_value_heads);
  }
  if (options_.relations != 0) {
    require_relations_of(config, options_);
    require_relations_of(student, options_);
  }
  model_->set_lambda(has_stored_trits(checkpoint) ? 1 : 0);
  model_->eval();
  for (torch::Tensor& parameter : model_->parameters()) {
    parameter.requires_grad_(false);
  }
}

torch::Tensor Teacher::loss(TransformerImpl& student, const torch::Tensor& ids,
                            const torch::Tensor& targets, double denominator) {
  const auto layer = static_cast<std::size_t>(options_.relation_layer);
  AttentionTap of_teacher{layer};
  AttentionTap of_student{layer};
  torch::Tensor teacher_states;
  {
    const torch::NoGradGuard no_grad;
    teacher_states = model_->hidden_states(ids, &of_teacher);
  }
  // Without a weight no logits of the teacher are made.
  const TeacherLogits logits{options_.logits == 0
                                 ? torch::Tensor()
                                 : teacher_states.reshape({-1, teacher_states.size(-1)}),
                             model_->head(), options_.logits, options_.temperature};
  const torch::Tensor states = student.hidden_states(ids, &of_student);
  const torch::Tensor loss = student.loss_of_states(states, targets, denominator, logits);
  if (options_.relations == 0) {
    return loss;
  }
  // A mean, which counts as much as the share of the step's targets that is in this batch.
  const double share = (targets >= 0).sum().item<double>() / denominator;
  return loss + attention_relation_loss(of_student.inputs, of_teacher.inputs,
                                        positions_in_use(targets), options_.relation_heads) *
                    (options_.relations * share);
}

}  // namespace bitnet::train
