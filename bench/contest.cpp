// SPDX-License-Identifier: MIT
#include "contest.h"

#include <bitnet/diagnostics.h>
#include <bitnet/error.h>

#include <memory>

#include "base/message.h"
#include "kernels/machine_limits.h"

namespace bitnet::bench {

Contender memory_reads(const Runtime& runtime) {
  return {"memory reads", [&runtime] {
            const auto probe = std::make_shared<ReadProbe>(runtime);
            return Task{static_cast<double>(probe->bytes()) * 1e-9, [=] { probe->run(); }};
          }};
}

Contender dot_products(const Runtime& runtime) {
  return {"dot-product peak", [&runtime] {
            const auto probe = std::make_shared<DotProbe>(runtime);
            return Task{probe->multiply_adds() * 1e-9, [=] { probe->run(); }};
          }};
}

std::vector<Runtime> all_runtimes() {
  std::vector<Runtime> runtimes;
  runtimes.emplace_back(RuntimeOptions{.threads = 1, .isa = std::nullopt});
  if (Runtime all_cores; all_cores.threads() > 1) {
    runtimes.push_back(std::move(all_cores));
  }
  return runtimes;
}

void require_correct_kernels() {
  for (const KernelCheck& check : self_test()) {
    if (!check.passed) {
      throw Error(message("kernel ", check.kernel, " of ", check.isa,
                          " fails its self-test: ", check.detail));
    }
  }
}

}  // namespace bitnet::bench
