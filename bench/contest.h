// SPDX-License-Identifier: MIT
// What is measured: contests between ways of doing the same amount of work. `bitnet_bench` runs
// each contender by itself, `bitnet_bench_ratios` runs them in turn and compares.
#pragma once

#include <bitnet/runtime.h>

#include <functional>
#include <string>
#include <vector>

namespace bitnet::bench {

/// Work that is ready to run again and again.
struct Task {
  double work;  ///< one run's, in 1e9 of the contest's unit
  std::function<void()> run;
};

struct Contender {
  std::string name;
  std::function<Task()> prepare;  ///< allocates and fills; the memory goes with the Task
};

struct Contest {
  std::string title;
  std::string unit;  ///< of the rates: "GB/s" or "GMAC/s"
  const Runtime* runtime;
  std::vector<Contender> ours;
  std::vector<Contender> references;  ///< each of ours is compared with each of these
};

/// The probes of kernels/machine_limits.h as references.
Contender memory_reads(const Runtime& runtime);
Contender dot_products(const Runtime& runtime);

// Contests with the threads and kernels of `runtime`, which must outlive them. The crate's loops
// know one thread, so they take part when the runtime has one.

/// The crate's own benchmark list.
std::vector<Contest> layer_contests(const Runtime& runtime);
/// Ternary products of real models.
std::vector<Contest> kernel_contests(const Runtime& runtime);
/// Attention of a long text.
std::vector<Contest> attention_contests(const Runtime& runtime);

/// One thread, and all cores where there are more.
std::vector<Runtime> all_runtimes();
/// All lists, with each runtime in turn.
std::vector<Contest> all_contests(const std::vector<Runtime>& runtimes);

/// Throws Error when a kernel fails its self-test: wrong results are not worth timing.
void require_correct_kernels();

}  // namespace bitnet::bench
