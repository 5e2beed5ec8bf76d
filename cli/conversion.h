// SPDX-License-Identifier: MIT
// What `convert` and `quantize` share: one conversion with a progress bar, and its report.
#pragma once

#include <bitnet/convert_checkpoint.h>

#include <string>
#include <vector>

#include "command.h"

namespace bitnet::cli {

struct ConversionCommand {
  const char* progress_label;  ///< "quantizing"
  std::string input;
  std::string output;
  ConversionOptions options;
  std::vector<LoraFile> lora;
  RuntimeOptions runtime;
  bool json = false;
};

/// -o, --embedding-type, --for, --scales, --arch, --hidden-act, ... : all but --type and --to.
void add_conversion_options(CLI::App& command, ConversionCommand& conversion);
/// --type, with the names of every encoding that a matrix can be written in.
void add_type_option(CLI::App& command, ConversionCommand& conversion);

int run_conversion(const ConversionCommand& conversion);

}  // namespace bitnet::cli
