// SPDX-License-Identifier: MIT
// Runs the built program as a user would, with its output going to files instead of a terminal.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace bitnet {

struct ProgramResult {
  int exit_status;  ///< -1 when a signal ended it
  std::string out;
  std::string err;
  long peak_resident_kib;
};

/// `environment` is added to the test's own, without its BITNET_ISA; `input` is standard input.
ProgramResult run_program(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment = {},
                          const std::string& input = "");

/// Whether peak_resident_kib is that of the program alone: an emulator or a sanitizer adds its own.
bool measures_memory();

}  // namespace bitnet
