// SPDX-License-Identifier: MIT
#include "paired_rounds.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "kernels/machine_limits.h"

namespace bitnet::bench {
namespace {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

double rate_of(const Task& task, double seconds) {
  std::size_t runs = 0;
  std::size_t batch = 1;  // grows until reading the clock costs nothing beside it
  double elapsed = 0;
  for (const Stopwatch stopwatch; elapsed < seconds;) {
    for (std::size_t i = 0; i < batch; ++i) {
      task.run();
    }
    runs += batch;
    const double before = elapsed;
    elapsed = stopwatch.seconds();
    if (elapsed - before < 1e-3) {
      batch *= 2;
    }
  }
  return task.work * static_cast<double>(runs) / elapsed;
}

}  // namespace

std::vector<Round> run_rounds(const Contest& contest, std::size_t rounds, double seconds) {
  std::vector<Task> tasks;
  for (const auto* contenders : {&contest.ours, &contest.references}) {
    for (const Contender& contender : *contenders) {
      tasks.push_back(contender.prepare());
      rate_of(tasks.back(), seconds);
    }
  }
  std::vector<Round> results(rounds);
  for (Round& round : results) {
    round.core_ghz = core_ghz();
    round.region_us = region_us(*contest.runtime);
    for (const Task& task : tasks) {
      round.rates.push_back(rate_of(task, seconds));
    }
  }
  return results;
}

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double q) {
    const double position = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return std::lerp(values[below], values[above], position - std::floor(position));
  };
  return {.median = quantile(0.5), .p10 = quantile(0.1), .p90 = quantile(0.9)};
}

}  // namespace bitnet::bench
