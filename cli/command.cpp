// SPDX-License-Identifier: MIT
#include "command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <utility>

namespace bitnet::cli {

void add_threads_option(CLI::App& command, RuntimeOptions& options) {
  command.add_option("-t,--threads", options.threads, "Threads to use (default: one per core)")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
}

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print the result as JSON, for programs");
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
