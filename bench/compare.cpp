// SPDX-License-Identifier: MIT
// Program bitnet_bench_ratios: ours against references in strict rotation; median ratios and their
// spread as a Markdown table, every round as JSON.
#include <bitnet/diagnostics.h>
#include <bitnet/error.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/message.h"
#include "contest.h"
#include "kernels/kernel_table.h"
#include "paired_rounds.h"

namespace bitnet::bench {
namespace {

struct Options {
  std::size_t rounds = 11;
  double seconds = 0.3;
  std::string filter;
  std::string json_path;
};

/// One row of the table: one of ours against one reference.
struct Comparison {
  std::string ours, reference;
  Spread our_rate, reference_rate, ratio;
};

std::vector<double> collect(const std::vector<Round>& rounds, std::size_t contender) {
  std::vector<double> rates;
  for (const Round& round : rounds) {
    rates.push_back(round.rates[contender]);
  }
  return rates;
}

std::vector<Comparison> compare(const Contest& contest, const std::vector<Round>& rounds) {
  std::vector<Comparison> comparisons;
  for (std::size_t i = 0; i < contest.ours.size(); ++i) {
    for (std::size_t j = 0; j < contest.references.size(); ++j) {
      const std::vector<double> ours = collect(rounds, i);
      const std::vector<double> references = collect(rounds, contest.ours.size() + j);
      std::vector<double> ratios(rounds.size());
      std::transform(ours.begin(), ours.end(), references.begin(), ratios.begin(),
                     std::divides<>());
      comparisons.push_back({.ours = contest.ours[i].name,
                             .reference = contest.references[j].name,
                             .our_rate = spread_of(ours),
                             .reference_rate = spread_of(references),
                             .ratio = spread_of(ratios)});
    }
  }
  return comparisons;
}

void print_rows(const Contest& contest, const std::vector<Round>& rounds) {
  std::vector<double> ghz;
  std::vector<double> region_us;
  for (const Round& round : rounds) {
    ghz.push_back(round.core_ghz);
    region_us.push_back(round.region_us);
  }
  std::cout << std::fixed;
  for (const Comparison& row : compare(contest, rounds)) {
    std::cout << "| " << contest.title << " | " << contest.runtime->threads() << " | " << row.ours
              << " | " << row.reference << std::setprecision(2) << " | " << row.our_rate.median
              << " | " << row.reference_rate.median << " | " << contest.unit << " | "
              << row.ratio.median << " | " << row.ratio.p10 << "-" << row.ratio.p90 << " | "
              << spread_of(ghz).median << " | " << spread_of(region_us).median << " |\n";
  }
  std::cout.flush();
}

nlohmann::json to_json(const Spread& spread) {
  return {{"median", spread.median}, {"p10", spread.p10}, {"p90", spread.p90}};
}

nlohmann::json to_json(const Contest& contest, const std::vector<Round>& rounds) {
  nlohmann::json json = {{"case", contest.title},
                         {"unit", contest.unit},
                         {"threads", contest.runtime->threads()},
                         {"comparisons", nlohmann::json::array()},
                         {"rounds", nlohmann::json::array()}};
  for (const Comparison& row : compare(contest, rounds)) {
    json["comparisons"].push_back({{"ours", row.ours},
                                   {"reference", row.reference},
                                   {"our_rate", to_json(row.our_rate)},
                                   {"reference_rate", to_json(row.reference_rate)},
                                   {"ratio", to_json(row.ratio)}});
  }
  for (const auto* contenders : {&contest.ours, &contest.references}) {
    for (const Contender& contender : *contenders) {
      json["contenders"].push_back(contender.name);
    }
  }
  for (const Round& round : rounds) {
    json["rounds"].push_back(
        {{"core_ghz", round.core_ghz}, {"region_us", round.region_us}, {"rates", round.rates}});
  }
  return json;
}

void run(const Options& options) {
  std::ofstream json_file;
  if (!options.json_path.empty()) {
    json_file.open(options.json_path);
    if (!json_file) {
      throw IoError(message(options.json_path, ": cannot write"));
    }
  }
  require_correct_kernels();
  const std::vector<Runtime> runtimes = all_runtimes();
  const CpuInfo cpu = cpu_info();
  const std::string_view kernels = runtimes.front().kernels().name;
  nlohmann::json report = {{"cpu", cpu.model},
                           {"cores", cpu.cores},
                           {"kernels", kernels},
                           {"rounds", options.rounds},
                           {"seconds_per_turn", options.seconds},
                           {"contests", nlohmann::json::array()}};
  std::cout
      << cpu.model << ", " << cpu.cores << " cores, kernels " << kernels << "; " << options.rounds
      << " rounds of " << options.seconds << " s turns\n\n"
      << "| case | threads | ours | against | ours | against | unit | ratio | 10-90 % | GHz | "
         "region µs |\n|---|--:|---|---|--:|--:|---|--:|--:|--:|--:|\n";
  for (const Contest& contest : all_contests(runtimes)) {
    if (contest.references.empty() || contest.title.find(options.filter) == std::string::npos) {
      continue;
    }
    const std::vector<Round> rounds = run_rounds(contest, options.rounds, options.seconds);
    print_rows(contest, rounds);
    report["contests"].push_back(to_json(contest, rounds));
  }
  if (json_file.is_open()) {
    json_file << report.dump(1) << '\n';
  }
}

}  // namespace
}  // namespace bitnet::bench

int main(int argc, char** argv) {
  bitnet::bench::Options options;
  CLI::App app("Ratios of this library to its baselines and to the machine's limits.");
  app.add_option("--rounds", options.rounds, "rounds per case")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "of each turn")
      ->check(CLI::Range(0.001, 60.0))
      ->capture_default_str();
  app.add_option("--filter", options.filter, "only cases whose name contains this");
  app.add_option("--json", options.json_path, "write every round to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    bitnet::bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "bitnet_bench_ratios: error: " << error.what() << '\n';
    return 1;
  }
}
