// SPDX-License-Identifier: MIT
// Oracle: nm, run on the object files of the library. Code compiled with an ISA's flags must not be
// what the linker picks for callers on other CPUs: the only symbol such an object offers is its
// KernelTable.
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "architecture/built_objects.h"

namespace bitnet::architecture {
namespace {

TEST(IsaObjects, OfferOnlyTheirKernelTable) {
  static const std::regex kTable(R"(bitnet::kernels::k\w+Table\n)");
  std::size_t checked = 0;
  for (const std::string& source : isa_sources()) {
    const std::string object = object_of(source);
    if (object.empty()) continue;
    const std::string symbols = output_of(BITNET_NM
                                          " --extern-only --defined-only --demangle "
                                          "--format=just-symbols '" +
                                          object + "'");
    EXPECT_TRUE(std::regex_match(symbols, kTable)) << object << " defines\n" << symbols;
    ++checked;
  }
  EXPECT_GE(checked, 2U) << "the scalar table and at least one more";
}

}  // namespace
}  // namespace bitnet::architecture
