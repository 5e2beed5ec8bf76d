// SPDX-License-Identifier: MIT
// adapter_config.json of Hugging Face PEFT.
#pragma once

#include <bitnet/lora.h>

#include <string>
#include <string_view>

namespace bitnet {

/// All of an adapter but its matrices. `file` is named in messages. Throws FormatError, and
/// UnsupportedError for a key whose value changes what is computed.
LoraAdapter parse_lora_config(std::string_view text, const std::string& file);

std::string lora_config(const LoraAdapter& adapter);

}  // namespace bitnet
