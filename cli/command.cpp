// SPDX-License-Identifier: MIT
#include "command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <iostream>
#include <system_error>
#include <utility>
#include <vector>

namespace bitnet::cli {
namespace {

double parse_scale(const std::string& text) {
  double scale = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, scale);
  if (error != std::errc() || stop != end || !std::isfinite(scale)) {
    throw CLI::ValidationError("--lora-scaled", "expected FILE and a number, found '" + text + "'");
  }
  return scale;
}

}  // namespace

void add_threads_option(CLI::App& command, RuntimeOptions& options) {
  command.add_option("-t,--threads", options.threads, "Threads to use (default: one per core)")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
}

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print the result as JSON, for programs");
}

void add_lora_options(CLI::App& command, std::vector<LoraFile>& files) {
  command
      .add_option_function<std::vector<std::string>>(
          "--lora",
          [&files](const std::vector<std::string>& paths) {
            for (const std::string& path : paths) files.push_back({path});
          },
          "LoRA adapter of PEFT: a folder, or its adapter_model.safetensors; may be repeated")
      ->type_name("FILE|DIR")
      ->allow_extra_args(false)
      ->take_all();
  command
      .add_option_function<std::vector<std::string>>(
          "--lora-scaled",
          [&files](const std::vector<std::string>& words) {
            for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
              files.push_back({words[i], parse_scale(words[i + 1])});
            }
          },
          "The same with a factor: 0.5 adds half of it")
      ->type_name("FILE|DIR SCALE")
      ->type_size(2)
      ->allow_extra_args(false)
      ->take_all();
}

std::vector<ScaledLora> load_lora_files(const std::vector<LoraFile>& files) {
  std::vector<ScaledLora> adapters;
  for (const LoraFile& file : files) {
    adapters.push_back({load_lora(file.path), file.scale});
  }
  return adapters;
}

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)), visible_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (shown_percent_ >= 0) {
    std::cerr << "\r\033[K" << std::flush;
  }
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  const int percent =
      total == 0 ? 100
                 : static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(total));
  if (!visible_ || percent == shown_percent_) {
    return;
  }
  shown_percent_ = percent;
  constexpr int kWidth = 40;
  const int filled = percent * kWidth / 100;
  std::cerr << '\r' << label_ << " [" << std::string(static_cast<std::size_t>(filled), '=')
            << std::string(static_cast<std::size_t>(kWidth - filled), ' ') << "] " << percent
            << " %";
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  if (done != 0 && elapsed > std::chrono::seconds(1)) {
    const double left =
        elapsed.count() * static_cast<double>(total - done) / static_cast<double>(done);
    std::cerr << ", " << format_duration(std::chrono::seconds(std::llround(left))) << " left\033[K";
  }
  std::cerr << std::flush;
}

}  // namespace bitnet::cli
