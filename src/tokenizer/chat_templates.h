// SPDX-License-Identifier: MIT
// Chat templates that published files lack.
#pragma once

#include <string>

namespace bitnet {

/// Jinja of BitNet-b1.58-2B-4T: "Role: content<|eot_id|>" per message, no line breaks; BOS comes
/// from the tokenizer.
const std::string& bitnet_chat_template();

/// Whether a template is the one that the official GGUF of that model carries by mistake.
bool is_mistaken_bitnet_template(const std::string& chat_template);

}  // namespace bitnet
