// SPDX-License-Identifier: MIT
// Tests that run once for every kernel table that this build holds and this CPU can run.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace bitnet {

class EachTable : public testing::TestWithParam<const kernels::KernelTable*> {
 protected:
  const kernels::KernelTable& kernels() const { return *GetParam(); }
};

inline std::vector<const kernels::KernelTable*> all_tables() {
  std::vector<const kernels::KernelTable*> tables;
  for (const auto* table = kernels::runnable_tables(); *table != nullptr; ++table) {
    tables.push_back(*table);
  }
  return tables;
}

/// Test names allow letters, digits and underscores only.
inline std::string table_name(const testing::TestParamInfo<const kernels::KernelTable*>& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace bitnet

#define BITNET_FOR_EACH_TABLE(Suite) \
  INSTANTIATE_TEST_SUITE_P(Kernels, Suite, testing::ValuesIn(all_tables()), table_name)
