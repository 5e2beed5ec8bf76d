// SPDX-License-Identifier: MIT
// `bitnet run --lines`: many short prompts, a line for each.
#pragma once

#include <bitnet/generation.h>

#include <string>
#include <string_view>
#include <vector>

#include "loaded_model.h"

namespace bitnet::cli {

enum class LineFormat {
  text,  ///< prompt, tab, completion
  ids,   ///< the same with token ids as the completion
  json,  ///< an object
};

/// Without their ends, "\n" or "\r\n"; none behind the last one.
std::vector<std::string> split_lines(std::string_view text);

/// Continues each of the prompts and prints them in order. The exit status.
int generate_lines(LoadedModel& loaded, const std::vector<std::string>& prompts,
                   const EncodeOptions& encoding, GenerationConfig config,
                   const BatchOptions& options, LineFormat format);

}  // namespace bitnet::cli
