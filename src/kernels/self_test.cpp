// SPDX-License-Identifier: MIT
// Every kernel of every table that runs here against the naive formulas, bit for bit.
#include <bitnet/diagnostics.h>

#include <ios>

#include "base/message.h"
#include "kernels/kernel_table.h"
#include "kernels/naive_kernels.h"
#include "kernels/self_test_cases.h"

namespace bitnet {
namespace {

using kernels::KernelTable;
using kernels::KernelUnderTest;
using kernels::Record;

Record run_cases(const KernelUnderTest& kernel, const KernelTable& table) {
  Record record;
  kernel.run_cases(table, record);
  return record;
}

/// The first difference, or nothing.
std::string difference(const Record& found, const Record& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    for (std::size_t j = 0; j < expected[i].bits.size(); ++j) {
      if (found[i].bits[j] != expected[i].bits[j]) {
        return message(expected[i].name, ": value ", j, " has the bits ", std::hex, std::showbase,
                       found[i].bits[j], ", expected ", expected[i].bits[j]);
      }
    }
  }
  return {};
}

void check(const KernelUnderTest& kernel, std::vector<KernelCheck>& checks) {
  const Record expected = run_cases(kernel, kernels::kNaiveTable);
  for (const auto* table = kernels::runnable_tables(); *table != nullptr; ++table) {
    const std::string detail = difference(run_cases(kernel, **table), expected);
    checks.push_back({.isa = std::string((*table)->name),
                      .kernel = std::string(kernel.name),
                      .cases = expected.size(),
                      .passed = detail.empty(),
                      .detail = detail});
  }
}

}  // namespace

std::vector<KernelCheck> self_test() {
  std::vector<KernelCheck> checks;
  for (const auto kernels_of :
       {kernels::row_kernels, kernels::matrix_kernels, kernels::transformer_kernels}) {
    for (const KernelUnderTest& kernel : kernels_of()) {
      check(kernel, checks);
    }
  }
  return checks;
}

}  // namespace bitnet
