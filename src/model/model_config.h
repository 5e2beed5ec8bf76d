// SPDX-License-Identifier: MIT
// ModelConfig from the texts of a Hugging Face folder.
#pragma once

#include <bitnet/generation.h>
#include <bitnet/model_config.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

/// Parses the text of config.json. When a key occurs twice the last one wins, as in published
/// files. Throws FormatError naming key, expected and found.
ModelConfig parse_model_config(std::string_view config_json);

/// eos_token_id of the text of generation_config.json: one number, a list, null or absent.
std::vector<std::uint64_t> parse_generation_ends(std::string_view generation_json);

/// The end tokens of a model: generation_config.json (its text; empty when there is none) may name
/// more of them than config.json does, that of a text and that of a turn.
std::vector<std::uint64_t> end_tokens(const ModelConfig& config, std::string_view generation_json);

/// What the text of generation_config.json says of sampling; load_generation_config.
GenerationConfig parse_generation_config(std::string_view generation_json);

/// "last" from the text of 1_Pooling/config.json, which sentence-transformers puts beside an
/// embedding model. FormatError unless exactly one mode of mean, cls and lasttoken is on.
std::string parse_pooling(std::string_view pooling_json);

/// Positive and below 2^31, as GGUF's uint32 keys and our arithmetic need sizes to be.
inline constexpr std::uint64_t kMaxModelSize = 0x7fffffff;

}  // namespace bitnet
