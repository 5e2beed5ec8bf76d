// SPDX-License-Identifier: MIT
// The object files of the library as they were built.
#pragma once

#include <string>
#include <vector>

namespace bitnet::architecture {

/// What a shell command prints. Throws std::runtime_error when it cannot be run.
std::string output_of(const std::string& command);

/// The kernel files that src/CMakeLists.txt compiles with ISA flags: "kernels/avx2.cpp".
std::vector<std::string> isa_sources();

/// The built object of a source; empty when this build's processor has no use for it.
std::string object_of(const std::string& source);

}  // namespace bitnet::architecture
