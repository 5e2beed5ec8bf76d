// SPDX-License-Identifier: MIT
// A teacher's part of the loss. Oracle: what the two models' logits give by the definition.
#include <bitnet/error.h>
#include <bitnet/train/batches.h>
#include <bitnet/train/distillation.h>
#include <bitnet/train/model_folder.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "formats/temporary_folder.h"
#include "train/small_config.h"

namespace bitnet::train {
namespace {

ModelConfig config_of(std::size_t hidden_size, std::size_t layers) {
  ModelConfig config = small_config();
  config.hidden_size = hidden_size;
  config.num_hidden_layers = layers;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 16;
  config.vocab_size = 40;
  config.max_position_embeddings = 16;
  return config;
}

class DistillationTest : public testing::Test {
 protected:
  DistillationTest() {
    torch::manual_seed(11);
    ids = torch::randint(0, 40, {3, 12}, torch::kInt64);
    targets = torch::randint(0, 40, {3, 12}, torch::kInt64);
    targets.narrow(1, 0, 4).fill_(kIgnoredTarget);     // prompts
    targets[2].narrow(0, 9, 3).fill_(kIgnoredTarget);  // padding
  }

  Checkpoint saved(const Transformer& model) {
    save_transformer(*model, folder.path());
    return open_checkpoint(folder.path());
  }

  static double item(const torch::Tensor& loss) { return loss.item<double>(); }

  test::TemporaryFolder folder;
  torch::Tensor ids, targets;
};

TEST_F(DistillationTest, AModelHasNothingToLearnFromItself) {
  Transformer student(config_of(64, 3));
  student->set_lambda(0);
  Teacher teacher(saved(student), {.logits = 1, .relations = 1}, student->config());
  EXPECT_NEAR(item(teacher.loss(*student, ids, targets, 10)), item(student->loss(ids, targets, 10)),
              1e-5);
  // Its ternary weights differ from what it was.
  student->set_lambda(1);
  EXPECT_GT(item(teacher.loss(*student, ids, targets, 10)),
            item(student->loss(ids, targets, 10)) + 1e-4);
}

TEST_F(DistillationTest, LogitsAndRelationsCountWithTheirWeights) {
  Transformer student(config_of(64, 2));
  Transformer other(config_of(96, 3), TransformerOptions{.initializer_range = 0.1});
  const Checkpoint checkpoint = saved(other);
  constexpr double kTargets = 21;
  const double alone = item(student->loss(ids, targets));
  EXPECT_EQ((targets >= 0).sum().item<double>(), kTargets);

  constexpr double kTemperature = 2;
  other->set_lambda(0);
  const torch::Tensor log_q = torch::log_softmax(other->forward(ids) / kTemperature, 2);
  const torch::Tensor log_p = torch::log_softmax(student->forward(ids) / kTemperature, 2);
  const torch::Tensor rows = (log_q.exp() * (log_q - log_p)).sum(2);
  const double divergence = item(rows.masked_select(targets >= 0).mean());
  Teacher by_logits(checkpoint, {.logits = 3, .temperature = kTemperature}, student->config());
  EXPECT_NEAR(item(by_logits.loss(*student, ids, targets, kTargets)),
              alone + 3 * kTemperature * kTemperature * divergence, 1e-5);

  AttentionTap of_student{1}, of_teacher{1};
  student->hidden_states(ids, &of_student);
  other->hidden_states(ids, &of_teacher);
  torch::Tensor in_use = torch::ones({3, 12}, torch::kBool);
  in_use[2].narrow(0, 9, 3).fill_(false);
  const double relations =
      item(attention_relation_loss(of_student.inputs, of_teacher.inputs, in_use, 2));
  EXPECT_GT(relations, 1e-6);
  Teacher by_relations(checkpoint, {.logits = 0, .relations = 1000}, student->config());
  EXPECT_NEAR(item(by_relations.loss(*student, ids, targets, kTargets)), alone + 1000 * relations,
              1e-4);
  // Half of a step's targets: half of all.
  EXPECT_NEAR(item(by_relations.loss(*student, ids, targets, 2 * kTargets)),
              (alone + 1000 * relations) / 2, 1e-4);
}

TEST_F(DistillationTest, RefusesATeacherThatCannotJudge) {
  const Checkpoint checkpoint = saved(Transformer(config_of(64, 1)));
  const auto expect_refused = [&](const DistillationOptions& options, const auto& change) {
    ModelConfig student = config_of(64, 2);
    change(student);
    EXPECT_THROW(Teacher(checkpoint, options, student), InvalidArgument);
  };
  expect_refused({}, [](ModelConfig& student) { student.vocab_size = 41; });
  expect_refused({}, [](ModelConfig& student) { student.max_position_embeddings = 17; });
  expect_refused({.relations = 1}, [](ModelConfig& /*its second layer*/) {});
  expect_refused({.relations = 1, .relation_layer = 0, .relation_heads = 3}, [](ModelConfig&) {});
  const Checkpoint deep = saved(Transformer(config_of(64, 3)));
  EXPECT_THROW(Teacher(deep, {.relations = 1, .relation_layer = 2}, config_of(64, 2)),
               InvalidArgument);
}

}  // namespace
}  // namespace bitnet::train
