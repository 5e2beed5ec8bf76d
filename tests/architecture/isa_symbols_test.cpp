// SPDX-License-Identifier: MIT
// Oracle: nm, run on the object files of the library. Code compiled with an ISA's flags must not be
// what the linker picks for callers on other CPUs: the only symbol such an object offers is its
// KernelTable.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "architecture/source_tree.h"

namespace bitnet::architecture {
namespace {

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> part{};
  for (std::size_t n = 0; (n = fread(part.data(), 1, part.size(), pipe.get())) > 0;) {
    output.append(part.data(), n);
  }
  return output;
}

/// The kernel files that src/CMakeLists.txt compiles with ISA flags, as their object files' ends.
std::vector<std::string> isa_sources() {
  static const std::regex kIsaSource(R"(bitnet_isa_source\(bitnet (kernels/\w+\.cpp))");
  const std::string text = read_text(BITNET_SOURCE_DIR "/src/CMakeLists.txt");
  std::vector<std::string> sources;
  for (std::sregex_iterator match(text.begin(), text.end(), kIsaSource), end; match != end;
       ++match) {
    sources.push_back((*match)[1]);
  }
  return sources;
}

/// The built object of a source; empty when this build's processor has no use for it.
std::string object_of(const std::string& source) {
  std::istringstream objects(read_text(BITNET_OBJECT_LIST));
  for (std::string object; std::getline(objects, object);) {
    if (object.ends_with(source + ".o")) return object;
  }
  return {};
}

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
