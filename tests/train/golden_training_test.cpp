// SPDX-License-Identifier: MIT
// Twenty steps of training against tests/golden/training. Oracle: losses, gradient norms and
// gradients of an independent float64 run with the same weights and batches
// (tests/golden/PROVENANCE.md).
#include <bitnet/train/adamw.h>
#include <bitnet/train/schedule.h>
#include <bitnet/train/transformer.h>
#include <gtest/gtest.h>

#include "train/golden_tensor.h"

namespace bitnet::train {
namespace {

using nlohmann::json;
using reference::GoldenFile;

ModelConfig config_of(const json& model) {
  ModelConfig config;
  config.architectures = {"BitNetForCausalLM"};
  config.model_type = "bitnet";
  config.hidden_act = model.at("hidden_act");
  config.hidden_size = model.at("hidden_size");
  config.intermediate_size = model.at("intermediate_size");
  config.num_hidden_layers = model.at("num_hidden_layers");
  config.num_attention_heads = model.at("num_attention_heads");
  config.num_key_value_heads = model.at("num_key_value_heads");
  config.head_dim = model.at("head_dim");
  config.vocab_size = model.at("vocab_size");
  config.max_position_embeddings = 64;
  config.rms_norm_eps = model.at("rms_norm_eps");
  config.rope_theta = model.at("rope_theta");
  config.tie_word_embeddings = model.at("tie_word_embeddings");
  return config;
}

class GoldenTraining : public testing::Test {
 protected:
  json index = reference::read_golden_json("training/training.json");
  GoldenFile file{"training/training.safetensors"};

  Transformer initial_model() const {
    Transformer model(config_of(index.at("model")));
    const torch::NoGradGuard no_grad;
    std::size_t found = 0;
    for (auto& parameter : model->named_parameters()) {
      parameter.value().copy_(to_torch(file.at("init/" + parameter.key())));
      ++found;
    }
    EXPECT_EQ(found, index.at("schedules").at("fixed").at("gradient_norm_step1").size());
    return model;
  }

  torch::Tensor batch(std::int64_t step) const {
    return to_torch(file.at("batches"))[step].to(torch::kInt64);
  }

  static torch::Tensor loss_of(Transformer& model, const torch::Tensor& tokens) {
    const std::int64_t length = tokens.size(1) - 1;
    return model->loss(tokens.narrow(1, 0, length), tokens.narrow(1, 1, length).contiguous());
  }

  void expect_curve(const json& expected, const Schedule& schedule) const {
    Transformer model = initial_model();
    AdamW optimizer(*model);
    for (std::int64_t step = 0; step < index.at("steps"); ++step) {
      SCOPED_TRACE(step);
      const Schedule::Rates rates = schedule.at(step);
      EXPECT_NEAR(rates.learning_rate, expected.at("lr").at(step).get<double>(), 1e-15);
      EXPECT_EQ(rates.weight_decay, expected.at("weight_decay").at(step).get<double>());
      optimizer.zero_grad();
      const torch::Tensor loss = loss_of(model, batch(step));
      loss.backward();
      EXPECT_NEAR(loss.item<double>(), expected.at("loss").at(step).get<double>(),
                  expected.at("loss_tolerance").at(step).get<double>());
      optimizer.step(rates.learning_rate, rates.weight_decay);
    }
  }
};

TEST_F(GoldenTraining, FirstGradients) {
  Transformer model = initial_model();
  const json& expected = index.at("schedules").at("fixed");
  loss_of(model, batch(0)).backward();
  const double tolerance = expected.at("gradient_norm_step1_tolerance");
  for (const auto& parameter : model->named_parameters()) {
    const double norm = expected.at("gradient_norm_step1").at(parameter.key());
    EXPECT_NEAR(parameter.value().grad().norm().item<double>(), norm, tolerance * norm)
        << parameter.key();
    const std::string name = "gradient_step1/" + parameter.key();
    if (file.contains(name)) {
      expect_close(parameter.value().grad(), to_torch(file.at(name)), tolerance, name.c_str());
    }
  }
  const double norm = expected.at("gradient_norm").at(0);
  EXPECT_NEAR(AdamW(*model).gradient_norm(), norm, tolerance * norm);
}

TEST_F(GoldenTraining, FixedSchedule) {
  const json& expected = index.at("schedules").at("fixed");
  expect_curve(expected, {.kind = ScheduleKind::constant,
                          .steps = 20,
                          .learning_rate = expected.at("lr").at(0),
                          .weight_decay = expected.at("weight_decay").at(0)});
}

TEST_F(GoldenTraining, TwoStageSchedule) {
  expect_curve(index.at("schedules").at("two_stage"),
               {.kind = ScheduleKind::two_stage, .steps = 20, .warmup_steps = 4});
}

}  // namespace
}  // namespace bitnet::train
