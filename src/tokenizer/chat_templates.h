// SPDX-License-Identifier: MIT
// Jinja of chat templates: those that are recognized, and one that published files lack.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bitnet {

/// Jinja of BitNet-b1.58-2B-4T: "Role: content<|eot_id|>" per message, no line breaks; BOS comes
/// from the tokenizer.
const std::string& bitnet_chat_template();

/// Whether a template is the one that the official GGUF of that model carries by mistake.
bool is_mistaken_bitnet_template(const std::string& chat_template);

/// A program and the format that it writes when no tools are given.
struct KnownTemplate {
  std::string_view name;  ///< of ChatTemplate
  std::string_view jinja;
  std::string_view default_system = {};
  /// The program also serves tools: "{% if tools %}...{% else %}" JINJA "{% endif %}".
  bool behind_tools = false;
};

std::span<const KnownTemplate> known_templates();

}  // namespace bitnet
