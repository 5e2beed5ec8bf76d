// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/runtime.h>

#include <array>
#include <cstdlib>
#include <thread>

#include "base/message.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"

namespace bitnet {
namespace {

constexpr const char* kIsaVariable = "BITNET_ISA";

struct IsaName {
  Isa isa;
  std::string_view name;
};
constexpr std::array<IsaName, 4> kIsaNames = {
    {{Isa::scalar, "scalar"}, {Isa::avx2, "avx2"}, {Isa::avx512, "avx512"}, {Isa::neon, "neon"}}};

std::string join_supported() {
  std::string names;
  for (const Isa isa : supported_isas()) {
    names += (names.empty() ? "" : ", ") + std::string(to_string(isa));
  }
  return names;
}

const kernels::KernelTable* choose_table(std::optional<Isa> forced) {
  if (!forced) {
    const char* name = std::getenv(kIsaVariable);
    if (name != nullptr && *name != '\0') {
      forced = parse_isa(name);
    }
  }
  const Isa isa = forced.value_or(supported_isas().back());
  const kernels::KernelTable* table = kernels::find_table(isa);
  if (table == nullptr) {
    throw UnsupportedError(message("this CPU (or this build) cannot run the instruction set ",
                                   to_string(isa), "; it can run: ", join_supported()));
  }
  return table;
}

int choose_threads(int requested) {
  if (requested < 0) {
    throw InvalidArgument(message("threads: expected 0 (one per core) or more, found ", requested));
  }
  if (requested > 0) {
    return requested;
  }
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace

std::string_view to_string(Isa isa) { return kIsaNames[static_cast<std::size_t>(isa)].name; }

Isa parse_isa(std::string_view name) {
  std::string valid;
  for (const IsaName& entry : kIsaNames) {
    if (entry.name == name) {
      return entry.isa;
    }
    valid += (valid.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw InvalidArgument(message(kIsaVariable, ": expected one of ", valid, "; found '", name, "'"));
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const auto* table = kernels::runnable_tables(); *table != nullptr; ++table) {
    if (isas.empty() || isas.back() != (*table)->isa) {
      isas.push_back((*table)->isa);
    }
  }
  return isas;
}

Runtime::Runtime(const RuntimeOptions& options)
    : kernels_(choose_table(options.isa)),
      pool_(std::make_unique<ThreadPool>(choose_threads(options.threads))) {}

Runtime::~Runtime() = default;
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime& Runtime::operator=(Runtime&&) noexcept = default;

const Runtime& Runtime::serial() {
  static const Runtime runtime(RuntimeOptions{.threads = 1});
  return runtime;
}

int Runtime::threads() const { return pool_->threads(); }
Isa Runtime::isa() const { return kernels_->isa; }

}  // namespace bitnet
