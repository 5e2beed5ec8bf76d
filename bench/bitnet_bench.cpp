// SPDX-License-Identifier: MIT
// Every contender by itself under Google Benchmark: absolute figures.
#include <benchmark/benchmark.h>
#include <bitnet/diagnostics.h>

#include <exception>
#include <iostream>

#include "base/message.h"
#include "contest.h"

namespace {

using bitnet::bench::Contender;
using bitnet::bench::Contest;
using bitnet::bench::Task;

void register_contender(const Contest& contest, const Contender& contender) {
  const std::string name =
      bitnet::message(contest.title, "/", contender.name, "/threads:", contest.runtime->threads());
  const auto measure = [contender, unit = contest.unit](benchmark::State& state) {
    const Task task = contender.prepare();
    task.run();
    for ([[maybe_unused]] auto _ : state) {
      task.run();
    }
    state.counters[unit] = benchmark::Counter(task.work * static_cast<double>(state.iterations()),
                                              benchmark::Counter::kIsRate);
  };
  benchmark::RegisterBenchmark(name.c_str(), measure)->UseRealTime();
}

void run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  bitnet::bench::require_correct_kernels();
  const std::vector<bitnet::Runtime> runtimes = bitnet::bench::all_runtimes();
  for (const Contest& contest : bitnet::bench::all_contests(runtimes)) {
    for (const Contender& contender : contest.ours) {
      register_contender(contest, contender);
    }
    for (const Contender& contender : contest.references) {
      register_contender(contest, contender);
    }
  }
  benchmark::AddCustomContext("cpu", bitnet::cpu_info().model);
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bitnet_bench: error: " << error.what() << '\n';
    return 1;
  }
}
