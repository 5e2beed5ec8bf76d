// SPDX-License-Identifier: MIT
// The programs behind `bitnet train-tokenizer` and `bitnet train`, as a user calls them. Oracles: a
// run that nobody disturbed, for one that was killed; the engine, for what a trained model writes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/run_program.h"
#include "formats/temporary_folder.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

class TrainProgram : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "The quick brown fox jumps over the lazy dog.\n";
    folder.write("text.txt", text);
    const ProgramResult tokenizer =
        run_program({"train-tokenizer", "--data", folder / "text.txt", "--vocab-size", "300", "-o",
                     folder / "tokenizer"});
    ASSERT_EQ(tokenizer.exit_status, 0) << tokenizer.err;
  }

  std::vector<std::string> train(const std::string& output, const std::string& steps = "60") const {
    return {"train",
            "-o",
            folder / output,
            "--data",
            folder / "text.txt",
            "--tokenizer",
            folder / "tokenizer",
            "--dev",
            folder / "text.txt",
            "--threads",
            "1",
            "--hidden-size",
            "64",
            "--intermediate-size",
            "96",
            "--num-hidden-layers",
            "2",
            "--num-attention-heads",
            "2",
            "--num-key-value-heads",
            "1",
            "--head-dim",
            "32",
            "--batch-size",
            "4",
            "--context",
            "32",
            "--steps",
            steps,
            "--warmup-steps",
            "5",
            "--learning-rate",
            "4e-3",
            "--save-every",
            "10",
            "--evaluate-every",
            "30"};
  }

  /// A run that gets the signal behind its first checkpoint, and is waited for.
  void send_signal(const std::string& name, const std::string& output,
                   const std::string& steps) const {
    std::string command = "'" BITNET_TRAIN_PROGRAM "'";
    const std::vector<std::string> arguments = train(output, steps);
    for (std::size_t i = 1; i < arguments.size(); ++i) command += " '" + arguments[i] + "'";
    const std::string metrics = folder / output / "metrics.jsonl";
    command += " > /dev/null 2>&1 & until grep -qs '\"checkpoint\"' '" + metrics +
               "' || ! kill -0 $!; do sleep 0.1; done; kill -" + name + " $!; wait $!";
    ASSERT_NE(std::system(command.c_str()), -1);
  }

  test::TemporaryFolder folder;
};

TEST_F(TrainProgram, TrainsReportsAndTheEngineRunsIt) {
  std::vector<std::string> arguments = train("run", "250");
  arguments.insert(arguments.end(), {"--prompt", "The quick"});
  const ProgramResult trained = run_program(arguments);
  ASSERT_EQ(trained.exit_status, 0) << trained.err;
  EXPECT_NE(trained.out.find("finished (steps)"), std::string::npos) << trained.out;
  std::vector<std::string> events;
  std::ifstream metrics(folder / "run/metrics.jsonl");
  for (std::string line; std::getline(metrics, line);) {
    events.push_back(nlohmann::json::parse(line).at("event"));
  }
  EXPECT_EQ(events.front(), "start");
  EXPECT_EQ(events.back(), "finish");
  for (const char* event : {"step", "evaluation", "checkpoint", "sample"}) {
    EXPECT_NE(std::ranges::find(events, event), events.end()) << event;
  }
  const std::string page = test::read_text(folder / "run/report.html");
  EXPECT_NE(page.find("<svg"), std::string::npos);
  // Each line was understood, the last one too: the page has no reason to reload itself.
  EXPECT_EQ(page.find("could not be read"), std::string::npos);
  EXPECT_EQ(page.find("http-equiv=\"refresh\""), std::string::npos);
  // The one text begins with BOS once, which is too seldom to learn.
  const ProgramResult written = run_program(
      {"run", "-m", folder / "run", "-p", "The quick brown", "-n", "8", "--temp", "0", "--no-bos"});
  EXPECT_EQ(written.exit_status, 0) << written.err;
  EXPECT_NE(written.out.find(" fox jumps"), std::string::npos) << written.out;
}

TEST_F(TrainProgram, ATaughtModelContinuesLinesAsTheEngineDoes) {
  std::vector<std::string> teacher = train("teacher");
  teacher.emplace_back("--float");
  ASSERT_EQ(run_program(teacher).exit_status, 0);
  std::vector<std::string> student = train("student");
  student.insert(student.end(), {"--teacher", folder / "teacher", "--distill-relations", "10",
                                 "--dropout", "0.1"});
  const ProgramResult taught = run_program(student);
  ASSERT_EQ(taught.exit_status, 0) << taught.err;

  folder.write("lines.txt", "The quick\nfox jumps over\n");
  const auto completions = [&](std::vector<std::string> arguments) {
    const ProgramResult result = run_program(std::move(arguments));
    EXPECT_EQ(result.exit_status, 0) << result.err;
    std::vector<std::string> texts;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      texts.push_back(nlohmann::json::parse(line).at("completion"));
    }
    return texts;
  };
  const std::vector<std::string> found =
      completions({"train", "--from", folder / "student", "--continue", folder / "lines.txt",
                   "--context", "8"});
  EXPECT_EQ(found.size(), 2U);
  EXPECT_EQ(found, completions({"run", "-m", folder / "student", "--lines", folder / "lines.txt",
                                "--json", "--temp", "0", "-n", "8"}));
}

TEST_F(TrainProgram, AKilledRunEndsAsIfNobodyHadKilledIt) {
  ASSERT_EQ(run_program(train("whole")).exit_status, 0);
  send_signal("KILL", "killed", "60");
  ASSERT_EQ(run_program(train("killed")).exit_status, 0);
  for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_EQ(test::read_text(folder / "whole/checkpoint-000060" / name),
              test::read_text(folder / "killed/checkpoint-000060" / name))
        << name;
  }
}

TEST_F(TrainProgram, AnAdapterIsTrainedRunAndResumed) {
  ASSERT_EQ(run_program(train("base")).exit_status, 0);
  folder.write("other.txt", std::string(6000, 'z') + "\n");
  const auto adapter = [&](const std::string& output, const std::string& steps) {
    return std::vector<std::string>{"train",
                                    "-o",
                                    folder / output,
                                    "--from",
                                    folder / "base",
                                    "--data",
                                    folder / "other.txt",
                                    "--threads",
                                    "1",
                                    "--lora-rank",
                                    "4",
                                    "--batch-size",
                                    "4",
                                    "--context",
                                    "32",
                                    "--steps",
                                    steps,
                                    "--schedule",
                                    "constant",
                                    "--learning-rate",
                                    "1e-2",
                                    "--save-every",
                                    "20",
                                    "--prompt",
                                    "z"};
  };
  const ProgramResult trained = run_program(adapter("adapter", "40"));
  ASSERT_EQ(trained.exit_status, 0) << trained.err;
  EXPECT_FALSE(fs::exists(folder / "adapter/model.safetensors"));
  const auto continuation = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"run", "-m", folder / "base", "-p", "zzzz",
                                          "-n",  "8",  "--temp",        "0",  "--no-bos"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments).out;
  };
  EXPECT_EQ(continuation({"--lora", folder / "adapter"}), "zzzzzzzz\n");
  EXPECT_NE(continuation({}), "zzzzzzzz\n");

  fs::remove_all(folder / "adapter/checkpoint-000040");
  const std::string before = test::read_text(folder / "adapter/adapter_model.safetensors");
  ASSERT_EQ(run_program(adapter("adapter", "40")).exit_status, 0);
  EXPECT_EQ(test::read_text(folder / "adapter/adapter_model.safetensors"), before);
}

TEST_F(TrainProgram, AnInterruptedRunSavesAndEnds) {
  send_signal("INT", "run", "1000000");
  std::ifstream metrics(folder / "run/metrics.jsonl");
  std::string last;
  for (std::string line; std::getline(metrics, line);) last = line;
  const nlohmann::json end = nlohmann::json::parse(last);
  EXPECT_EQ(end.at("event"), "finish");
  EXPECT_EQ(end.at("reason"), "interrupted");
  const std::string digits = std::to_string(end.at("step").get<int>());
  const std::string name = "checkpoint-" + std::string(6 - digits.size(), '0') + digits;
  EXPECT_TRUE(fs::exists(folder.path() / "run" / name)) << name;
}

TEST_F(TrainProgram, ErrorsSayWhatIsWrong) {
  const auto error_of = [](const std::vector<std::string>& arguments) {
    const ProgramResult result = run_program(arguments);
    EXPECT_NE(result.exit_status, 0);
    return result.err;
  };
  EXPECT_NE(error_of({"train", "--data", folder / "text.txt"}).find("output: expected a folder"),
            std::string::npos);
  EXPECT_NE(error_of({"train", "-o", folder / "x", "--data", folder / "text.txt"})
                .find("bitnet: error: tokenizer"),
            std::string::npos);
  folder.write("bad.json", std::string(R"({"steps": "many"})"));
  EXPECT_NE(error_of({"train", folder / "bad.json"}).find("\"steps\""), std::string::npos);
  EXPECT_NE(error_of({"train", folder / "missing.json"}).find("cannot be read"), std::string::npos);
  EXPECT_NE(error_of({"train-tokenizer", "--data", folder / "none.txt", "-o", folder / "t"})
                .find("bitnet: error:"),
            std::string::npos);
}

}  // namespace
}  // namespace bitnet
