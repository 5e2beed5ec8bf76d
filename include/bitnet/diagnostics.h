// SPDX-License-Identifier: MIT
// What this machine is and whether the kernels are right on it: the library behind `bitnet doctor`.
#pragma once

#include <bitnet/runtime.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bitnet {

/// One kernel of one variant, compared with naive formulas on random and extreme inputs.
struct KernelCheck {
  std::string isa;     ///< variant name, for example "avx512-vbmi"
  std::string kernel;  ///< for example "gemm_t16"
  std::size_t cases = 0;
  bool passed = false;
  std::string detail;  ///< first difference, when !passed
};

/// Runs every kernel that this CPU can run. Takes about a second.
std::vector<KernelCheck> self_test();

struct CpuInfo {
  std::string model;                  ///< from the operating system; "unknown" when it does not say
  std::vector<std::string> features;  ///< those the kernels care about
  std::vector<std::string> variants;  ///< kernel variants that can run here, worst first
  int cores = 1;
};
CpuInfo cpu_info();

/// Limits measured now, with the runtime's threads and kernels. Noisy on shared machines: compare
/// only within one run.
struct MachineLimits {
  double read_gb_per_s = 0;   ///< streaming reads of memory far larger than the caches
  double dot_gmac_per_s = 0;  ///< int8 multiply-adds, operands in registers
};
MachineLimits measure_limits(const Runtime& runtime);

/// How many threads generation is worth: as long as doubling them reads memory at least a tenth
/// faster. Up to four cores this is all of them, at once; beyond, each doubling takes about a tenth
/// of a second to measure.
int recommended_threads();

}  // namespace bitnet
