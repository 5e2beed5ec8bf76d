// SPDX-License-Identifier: MIT
// What the subcommands share: how they register themselves, choose threads and talk to the user.
#pragma once

#include <bitnet/lora.h>
#include <bitnet/runtime.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "html/number_text.h"

// <CLI/CLI.hpp> defines objects whose code costs every file that reads it seconds, precompiled or
// not: only files that add options do.
namespace CLI {
class App;
}

namespace bitnet::cli {

/// What to run once the command line is understood; returns the exit status.
using Command = std::function<int()>;

// Each adds one subcommand, which sets `chosen` when the user picks it.
void add_quantize_command(CLI::App& app, Command& chosen);
void add_convert_command(CLI::App& app, Command& chosen);
void add_merge_command(CLI::App& app, Command& chosen);
void add_inspect_command(CLI::App& app, Command& chosen);
void add_verify_command(CLI::App& app, Command& chosen);
void add_tokenize_command(CLI::App& app, Command& chosen);
void add_doctor_command(CLI::App& app, Command& chosen);
void add_run_command(CLI::App& app, Command& chosen);
void add_chat_command(CLI::App& app, Command& chosen);
void add_perplexity_command(CLI::App& app, Command& chosen);
void add_embed_command(CLI::App& app, Command& chosen);
void add_logits_command(CLI::App& app, Command& chosen);
void add_bench_command(CLI::App& app, Command& chosen);
void add_train_commands(CLI::App& app, Command& chosen);

/// -t N, --threads N
void add_threads_option(CLI::App& command, RuntimeOptions& options);
/// --json
void add_json_option(CLI::App& command, bool& json);

struct LoraFile {
  std::string path;
  double scale = 1;
};
/// --lora FILE, --lora-scaled FILE SCALE: llama.cpp's names, each as often as wanted.
void add_lora_options(CLI::App& command, std::vector<LoraFile>& files);
std::vector<ScaledLora> load_lora_files(const std::vector<LoraFile>& files);

/// One line on standard error with the time that is left, redrawn in place; nothing at all unless
/// that is a terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(std::uint64_t done, std::uint64_t total);

 private:
  std::string label_;
  bool visible_;
  int shown_percent_ = -1;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace bitnet::cli
