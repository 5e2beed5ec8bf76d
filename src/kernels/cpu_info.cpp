// SPDX-License-Identifier: MIT
#include <bitnet/diagnostics.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "kernels/kernel_table.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace bitnet {
namespace {

struct Feature {
  const char* name;
  bool present;
};

std::vector<Feature> kernel_features() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return {{"avx2", __builtin_cpu_supports("avx2") != 0},
          {"fma", __builtin_cpu_supports("fma") != 0},
          {"avx512f", __builtin_cpu_supports("avx512f") != 0},
          {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
          {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
          {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
          {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0},
          {"avx512vbmi", __builtin_cpu_supports("avx512vbmi") != 0}};
#elif defined(__aarch64__)
  const unsigned long capabilities = getauxval(AT_HWCAP);
  return {{"asimd", (capabilities & HWCAP_ASIMD) != 0},
          {"asimddp", (capabilities & HWCAP_ASIMDDP) != 0},
          {"i8mm", (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0}};
#else
  return {};
#endif
}

/// What x86 kernels of Linux print; Arm's name no model.
std::string cpu_model() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace

CpuInfo cpu_info() {
  CpuInfo info;
  info.model = cpu_model();
  for (const Feature& feature : kernel_features()) {
    if (feature.present) {
      info.features.emplace_back(feature.name);
    }
  }
  for (const auto* table = kernels::runnable_tables(); *table != nullptr; ++table) {
    info.variants.emplace_back((*table)->name);
  }
  info.cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return info;
}

}  // namespace bitnet
