// SPDX-License-Identifier: MIT
// What is said about a generation when it is over.
#pragma once

#include <bitnet/generation.h>

#include <nlohmann/json.hpp>
#include <string>

#include "loaded_model.h"

namespace bitnet::cli {

/// "prompt 12 tokens, 85.1 tokens/s; generated 100 tokens, 31.2 tokens/s (...); length"
std::string describe(const GenerationResult& result, const GenerationConfig& config,
                     LoadedModel& loaded);

nlohmann::ordered_json to_json(const GenerationResult& result);

}  // namespace bitnet::cli
