// SPDX-License-Identifier: MIT
// RunLog: what a run tells its user, on the terminal, in metrics.jsonl and in report.html.
#pragma once

#include <bitnet/train/trainer.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace bitnet::train {

/// Ctrl-C ends the run after the step and saves it; a second one kills.
class RunLog : public TrainingObserver {
 public:
  RunLog(const TrainingOptions& options, std::vector<std::string> prompts);
  ~RunLog() override;

  void on_start(const TrainingStart& start) override;
  void on_step(const StepReport& report) override;
  void on_evaluation(const EvaluationReport& report) override;
  void on_checkpoint(std::int64_t step, const std::filesystem::path& folder) override;
  bool should_stop() override;
  void finish(TrainingEnd end);

 private:
  static void let_signals_kill();
  /// Adds a line to metrics.jsonl and renews report.html, the latter now and then.
  void append(const std::string& line, bool is_final = false);
  void write_samples(std::int64_t step, const std::filesystem::path& folder);

  TrainingOptions options_;
  std::vector<std::string> prompts_;
  std::filesystem::path metrics_;
  std::int64_t steps_ = 0;
  std::int64_t step_ = 0;  // behind which the run stands
  std::int64_t ternary_parameters_ = 0;
  bool draws_;  // a progress line, redrawn: standard error is a terminal
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point reported_;  // long ago
};

}  // namespace bitnet::train
