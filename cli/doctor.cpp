// SPDX-License-Identifier: MIT
// `bitnet doctor`: what this machine is, whether every kernel is right on it, how fast it can be.
#include <bitnet/diagnostics.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "command.h"
#include "text_table.h"

namespace bitnet::cli {
namespace {

struct DoctorOptions {
  RuntimeOptions runtime;
  bool json = false;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

/// One row per kernel, one column per variant; what went wrong stands below.
void print_checks(const std::vector<std::string>& variants,
                  const std::vector<KernelCheck>& checks) {
  std::vector<TextTable::Column> columns = {{"kernel"}, {"cases", Align::right}};
  for (const std::string& variant : variants) columns.push_back({variant});
  TextTable table(columns);
  std::vector<std::string> row;
  for (const KernelCheck& check : checks) {  // all variants of a kernel, then the next kernel
    if (row.empty()) row = {check.kernel, std::to_string(check.cases)};
    row.push_back(check.passed ? "ok" : "WRONG");
    if (row.size() == columns.size()) table.add_row(std::exchange(row, {}));
  }
  table.print(std::cout);
  for (const KernelCheck& check : checks) {
    if (!check.passed)
      std::cout << check.isa << ' ' << check.kernel << ": " << check.detail << '\n';
  }
}

void print_text(const CpuInfo& cpu, const Runtime& runtime, const std::vector<KernelCheck>& checks,
                const MachineLimits& limits) {
  std::cout << "CPU        " << cpu.model << ", " << cpu.cores << " cores available\n"
            << "features   " << joined(cpu.features) << '\n'
            << "kernels    " << joined(cpu.variants) << '\n'
            << "chosen     " << to_string(runtime.isa()) << ", " << runtime.threads()
            << " threads\n\n";
  print_checks(cpu.variants, checks);
  std::cout << "\nread bandwidth     " << format_fixed(limits.read_gb_per_s, 1) << " GB/s\n"
            << "dot-product peak   " << format_fixed(limits.dot_gmac_per_s, 1) << " GMAC/s\n";
}

void print_json(const CpuInfo& cpu, const Runtime& runtime, const std::vector<KernelCheck>& checks,
                const MachineLimits& limits) {
  nlohmann::ordered_json json;
  json["cpu"] = {{"model", cpu.model},
                 {"cores", cpu.cores},
                 {"features", cpu.features},
                 {"variants", cpu.variants}};
  json["isa"] = to_string(runtime.isa());
  json["threads"] = runtime.threads();
  json["checks"] = nlohmann::ordered_json::array();
  for (const KernelCheck& check : checks) {
    json["checks"].push_back({{"isa", check.isa},
                              {"kernel", check.kernel},
                              {"cases", check.cases},
                              {"passed", check.passed},
                              {"detail", check.detail}});
  }
  json["read_gb_per_s"] = limits.read_gb_per_s;
  json["dot_gmac_per_s"] = limits.dot_gmac_per_s;
  std::cout << json.dump(2) << '\n';
}

int run(const DoctorOptions& options) {
  const Runtime runtime(options.runtime);
  const CpuInfo cpu = cpu_info();
  const std::vector<KernelCheck> checks = self_test();
  const MachineLimits limits = measure_limits(runtime);
  (options.json ? print_json : print_text)(cpu, runtime, checks, limits);

  const auto failed =
      std::count_if(checks.begin(), checks.end(), [](const auto& check) { return !check.passed; });
  if (failed != 0) {
    std::cerr << "bitnet: error: " << failed << " of " << checks.size()
              << " kernels differ from their formulas on this machine\n";
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

void add_doctor_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "doctor", "Check every kernel on this machine and measure what it can reach");
  command->footer(R"(Examples:
  bitnet doctor           a table of all kernels this CPU can run
  bitnet doctor -t 1      the limits of one thread
  bitnet doctor --json    for scripts

The exit status is 1 when a kernel differs from its formula.)");
  auto options = std::make_shared<DoctorOptions>();
  add_threads_option(*command, options->runtime);
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
