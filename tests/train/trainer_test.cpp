// SPDX-License-Identifier: MIT
// Whole runs on a text that repeats itself. Oracles: a run without interruption, for one that is
// resumed; what a text of known entropy allows, for the loss.
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>
#include <bitnet/train/model_folder.h>
#include <bitnet/train/trainer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "formats/temporary_folder.h"
#include "train/small_config.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() {
    std::ofstream text(folder.path() / "text.txt");
    for (int i = 0; i < 400; ++i) text << "The quick brown fox jumps over the lazy dog.\n";
  }

  TrainingOptions options(const std::string& output) const {
    TrainingOptions options;
    options.output = folder.path() / output;
    options.data = {folder.path() / "text.txt"};
    options.tokenizer = fs::path(BITNET_SOURCE_DIR) / "models/prose-nano";
    options.model = small_config();
    options.batch_size = 4;
    options.context = 32;
    options.schedule.steps = 20;
    options.schedule.warmup_steps = 4;
    options.save_every = 10;
    options.log_every = 5;
    return options;
  }

  test::TemporaryFolder folder;
};

/// Ends a run behind a step: politely, or as a crash would.
struct EndBehind : TrainingObserver {
  std::int64_t last;
  bool crashes;
  std::int64_t steps = 0;

  EndBehind(std::int64_t step, bool crash) : last(step), crashes(crash) {}
  bool should_stop() override {
    if (++steps != last) return false;
    if (crashes) throw std::runtime_error("crash");
    return true;
  }
};

void expect_same_weights(const fs::path& a, const fs::path& b) {
  for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_EQ(test::read_text(a / "checkpoint-000020" / name),
              test::read_text(b / "checkpoint-000020" / name))
        << name;
  }
}

TEST_F(TrainerTest, ResumesToTheLastBit) {
  TrainingObserver silent;
  EXPECT_EQ(train(options("whole"), silent), TrainingEnd::steps);

  EndBehind polite(7, false);
  EXPECT_EQ(train(options("stopped"), polite), TrainingEnd::interrupted);
  EXPECT_TRUE(fs::exists(folder.path() / "stopped/checkpoint-000007"));
  train(options("stopped"), silent);
  expect_same_weights(folder.path() / "whole", folder.path() / "stopped");

  EndBehind crash(15, true);
  EXPECT_THROW(train(options("crashed"), crash), std::runtime_error);
  train(options("crashed"), silent);
  expect_same_weights(folder.path() / "whole", folder.path() / "crashed");
}

TEST_F(TrainerTest, ATeacherIsPartOfARunThatResumes) {
  TrainingObserver silent;
  TrainingOptions teacher = options("teacher");
  teacher.quantize = false;
  teacher.model.intermediate_size = 160;
  train(teacher, silent);

  const auto taught = [&](const std::string& output) {
    TrainingOptions student = options(output);
    student.teacher = folder.path() / "teacher";
    student.distillation.relations = 10;
    student.dropout = 0.1;
    return student;
  };
  train(options("alone"), silent);
  train(taught("whole"), silent);
  EndBehind polite(7, false);
  EXPECT_EQ(train(taught("stopped"), polite), TrainingEnd::interrupted);
  TrainingOptions harder = taught("stopped");
  harder.distillation.logits = 2;
  EXPECT_THROW(train(harder, silent), InvalidArgument);
  train(taught("stopped"), silent);
  expect_same_weights(folder.path() / "whole", folder.path() / "stopped");
  EXPECT_NE(test::read_text(folder.path() / "whole/model.safetensors"),
            test::read_text(folder.path() / "alone/model.safetensors"));
}

TEST_F(TrainerTest, DropoutAndLabelSmoothingAreForTrainingAlone) {
  TrainingObserver silent;
  TrainingOptions run = options("run");
  run.dev = run.data;
  run.schedule.steps = 1;
  train(run, silent);
  Transformer model = load_transformer(open_checkpoint(run.output));
  const Tokenizer tokenizer = load_tokenizer(run.tokenizer);
  const TokenFile file(run.output / "dev.safetensors");
  const BatchOptions batches{.rows = 4, .columns = 32};
  const double loss = evaluate(*model, file, tokenizer, batches).loss();
  model->set_label_smoothing(0.5);
  EXPECT_EQ(evaluate(*model, file, tokenizer, batches).loss(), loss);
  const torch::Tensor ids = torch::arange(32).view({1, 32});
  const double smoothed = model->loss(ids, ids).item<double>();
  model->eval();
  EXPECT_NE(model->loss(ids, ids).item<double>(), smoothed);
  model->train();

  model->set_dropout(0.5);
  EXPECT_EQ(evaluate(*model, file, tokenizer, batches).loss(), loss);

  torch::manual_seed(1);
  const torch::Tensor once = model->forward(ids);
  EXPECT_FALSE(once.equal(model->forward(ids)));
  torch::manual_seed(1);
  EXPECT_TRUE(once.equal(model->forward(ids)));
}

TEST_F(TrainerTest, RefusesADeviceThatIsNotThere) {
  TrainingObserver silent;
  for (const char* device : {"cuda:99", "gpu", "meta"}) {
    TrainingOptions elsewhere = options("elsewhere");
    elsewhere.device = device;
    try {
      train(elsewhere, silent);
      ADD_FAILURE() << device;
    } catch (const InvalidArgument& error) {
      EXPECT_NE(std::string(error.what()).find(device), std::string::npos) << error.what();
    }
  }
}

TEST_F(TrainerTest, RefusesToResumeWithOtherOptions) {
  TrainingObserver silent;
  train(options("run"), silent);
  TrainingOptions other = options("run");
  other.schedule.learning_rate *= 2;
  EXPECT_THROW(train(other, silent), InvalidArgument);
}

struct LossCurve : TrainingObserver {
  std::vector<StepReport> reports;
  std::vector<EvaluationReport> evaluations;
  void on_step(const StepReport& report) override { reports.push_back(report); }
  void on_evaluation(const EvaluationReport& report) override { evaluations.push_back(report); }
};

TEST_F(TrainerTest, LearnsATextThatRepeats) {
  TrainingOptions repeated = options("learned");
  repeated.schedule.steps = 150;
  repeated.schedule.learning_rate = 4e-3;
  repeated.schedule.kind = ScheduleKind::linear;
  repeated.dev = repeated.data;
  repeated.evaluate_every = 75;
  LossCurve curve;
  train(repeated, curve);
  // A sentence of a dozen tokens: nothing is uncertain but where a row begins in it.
  EXPECT_GT(curve.reports.front().loss, 6);
  EXPECT_LT(curve.reports.back().loss, 0.2);
  ASSERT_EQ(curve.evaluations.size(), 2U);
  EXPECT_LT(curve.evaluations.back().loss, 0.2);
  EXPECT_GT(curve.reports.back().sparsity, 0.1);
  EXPECT_LT(curve.reports.back().sparsity, 0.6);
}

TEST_F(TrainerTest, NamesWhatIsNoLongerFinite) {
  TrainingOptions wild = options("wild");
  wild.schedule.learning_rate = 1e30;
  wild.schedule.warmup_steps = 0;
  TrainingObserver silent;
  try {
    train(wild, silent);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("layers.0"), std::string::npos) << error.what();
  }
}

TEST_F(TrainerTest, StopsEarly) {
  TrainingOptions stubborn = options("stubborn");
  stubborn.schedule.learning_rate = 1e-30;  // nothing is learned
  stubborn.dev = stubborn.data;
  stubborn.evaluate_every = 2;
  stubborn.early_stop = 3;
  LossCurve curve;
  EXPECT_EQ(train(stubborn, curve), TrainingEnd::early_stop);
  EXPECT_EQ(curve.evaluations.size(), 4U);  // the first is the best, three more are not
}

TEST(TrainingOptions, TravelThroughJson) {
  TrainingOptions options;
  options.output = "out";
  options.data = {"a.txt", "b"};
  options.model = small_config();
  options.model.vocab_size = 100;
  options.model.max_position_embeddings = 32;
  options.schedule.kind = ScheduleKind::cosine;
  options.clip = 0.5;
  options.teacher = "teacher";
  options.distillation.relation_layer = 3;
  const TrainingOptions again = TrainingOptions::from_json(options.to_json(), {});
  EXPECT_EQ(again.to_json(), options.to_json());
  EXPECT_EQ(again.data, options.data);
  EXPECT_EQ(again.schedule.kind, ScheduleKind::cosine);
  EXPECT_EQ(again.distillation.relation_layer, 3);
  EXPECT_EQ(again.model.hidden_size, 64U);
}

TEST(TrainingOptions, NamesWhatIsWrong) {
  const auto error_of = [](const char* json) -> std::string {
    try {
      TrainingOptions::from_json(json, {});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(error_of(R"({"batch_sise": 4})").find("batch_sise"), std::string::npos);
  EXPECT_NE(error_of(R"({"batch_size": "four"})").find("batch_size"), std::string::npos);
  EXPECT_NE(error_of(R"({"schedule": "steps"})").find("two_stage"), std::string::npos);
  EXPECT_NE(error_of("[]").find("object"), std::string::npos);
}

}  // namespace
}  // namespace bitnet::train
