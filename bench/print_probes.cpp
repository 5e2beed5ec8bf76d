// SPDX-License-Identifier: MIT
// Program bitnet_bench_probes: what the machine is like at this moment, as JSON, for scripts that
// compare programs: bitnet_bench_probes THREADS.
#include <bitnet/diagnostics.h>
#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/message.h"
#include "kernels/kernel_table.h"
#include "kernels/machine_limits.h"

namespace bitnet::bench {
namespace {

/// Robust against an interrupt in one of them.
template <class Probe>
double median_of_runs(const Probe& probe) {
  std::array<double, 15> samples;
  std::generate(samples.begin(), samples.end(), probe);
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

int threads_of(int argc, char** argv) {
  constexpr int kMostThreads = 4096;
  const std::string_view text = argc == 2 ? argv[1] : "";
  int threads = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), threads);
  if (error != std::errc() || end != text.end() || threads < 1 || threads > kMostThreads) {
    throw InvalidArgument(message("usage: bitnet_bench_probes THREADS; expected 1 to ",
                                  kMostThreads, ", found '", text, "'"));
  }
  return threads;
}

void run(int threads) {
  const Runtime runtime(RuntimeOptions{.threads = threads});
  const MachineLimits limits = measure_limits(runtime);  // first: it wakes the cores from idling
  const CpuInfo cpu = cpu_info();
  const nlohmann::ordered_json json = {
      {"cpu", cpu.model},
      {"cores", cpu.cores},
      {"kernels", runtime.kernels().name},
      {"threads", runtime.threads()},
      {"core_ghz", median_of_runs(core_ghz)},
      {"region_us", median_of_runs([&] { return region_us(runtime); })},
      {"read_gb_per_s", limits.read_gb_per_s},
      {"dot_gmac_per_s", limits.dot_gmac_per_s},
  };
  std::cout << json.dump(2) << '\n';
}

}  // namespace
}  // namespace bitnet::bench

int main(int argc, char** argv) {
  try {
    bitnet::bench::run(bitnet::bench::threads_of(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "bitnet_bench_probes: error: " << error.what() << '\n';
    return 1;
  }
}
