// SPDX-License-Identifier: MIT
// Runtime: the threads to use and the kernels chosen for this CPU. No globals: pass it along.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace bitnet {

namespace kernels {
struct KernelTable;
}
class ThreadPool;

/// Instruction sets with kernels of their own. Results never depend on the choice.
enum class Isa { scalar, avx2, avx512, neon };

std::string_view to_string(Isa isa);
/// Throws InvalidArgument that lists the valid names.
Isa parse_isa(std::string_view name);
/// What this CPU and this build can run, worst first; never empty (scalar is always there).
std::vector<Isa> supported_isas();

struct RuntimeOptions {
  int threads = 0;  ///< 0: one per available core; includes the calling thread
  /// nullopt: environment variable BITNET_ISA if set, else the best supported.
  std::optional<Isa> isa = std::nullopt;
};

/// Immutable after construction and safe to share between threads: while one caller's parallel
/// region runs, another caller's work runs on its own thread alone.
class Runtime {
 public:
  /// Throws InvalidArgument for an unknown BITNET_ISA or a negative thread count, UnsupportedError
  /// for an ISA this CPU lacks.
  explicit Runtime(const RuntimeOptions& options = {});
  ~Runtime();
  Runtime(Runtime&&) noexcept;
  Runtime& operator=(Runtime&&) noexcept;

  /// One thread (the caller's) and the best kernels; what functions use when given no Runtime.
  static const Runtime& serial();

  int threads() const;
  Isa isa() const;

  // For the library's own layers.
  const kernels::KernelTable& kernels() const { return *kernels_; }
  ThreadPool& pool() const { return *pool_; }

 private:
  const kernels::KernelTable* kernels_;
  std::unique_ptr<ThreadPool> pool_;
};

}  // namespace bitnet
