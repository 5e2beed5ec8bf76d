// SPDX-License-Identifier: MIT
#include "tokenizer/chat_templates.h"

namespace bitnet {

const std::string& bitnet_chat_template() {
  static const std::string text =
      "{%- for m in messages -%}"
      "{{- (m['role'] | capitalize) + ': ' + (m['content'] | trim) + '<|eot_id|>' -}}"
      "{%- endfor -%}"
      "{%- if add_generation_prompt -%}{{- 'Assistant: ' -}}{%- endif -%}";
  return text;
}

bool is_mistaken_bitnet_template(const std::string& chat_template) {
  return chat_template.find("BITNETAssistant") != std::string::npos;
}

}  // namespace bitnet
