// SPDX-License-Identifier: MIT
#include "tokenizer/chat_templates.h"

#include <array>

namespace bitnet {
namespace {

constexpr std::string_view kBitNetOwn =
    "{%- for m in messages -%}"
    "{{- (m['role'] | capitalize) + ': ' + (m['content'] | trim) + '<|eot_id|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'Assistant: ' -}}{%- endif -%}";
constexpr std::string_view kBitNet =
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + "
    "'<|eot_id|>' %}"
    "{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}";

constexpr std::string_view kLlama3 =
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ "
    "message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";
/// The first release asks for an answer always; here add_generation_prompt decides.
constexpr std::string_view kFirstLlama3 =
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ "
    "message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}";

constexpr std::string_view kFalcon3 =
    "{%- for message in messages %}"
    "{%- if message['role'] == 'system' %}{{- '<|system|>\\n' + message['content'] + '\\n' }}"
    "{%- elif message['role'] == 'user' %}{{- '<|user|>\\n' + message['content'] + '\\n' }}"
    "{%- elif message['role'] == 'assistant' %}"
    "{%- if not loop.last %}"
    "{{- '<|assistant|>\\n' + message['content'] + eos_token + '\\n' }}"
    "{%- else %}{{- '<|assistant|>\\n' + message['content'] + eos_token }}{%- endif %}"
    "{%- endif %}"
    "{%- if loop.last and add_generation_prompt %}{{- '<|assistant|>\\n' }}{%- endif %}"
    "{%- endfor %}";

constexpr std::string_view kChatMl =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
constexpr std::string_view kChatMlChecked =
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
    "{% endif %}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
constexpr std::string_view kQwen2 =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

constexpr std::array kKnown = {
    KnownTemplate{"bitnet", kBitNet},
    KnownTemplate{"bitnet", kBitNetOwn},
    KnownTemplate{"llama3", kLlama3},
    KnownTemplate{"llama3", kFirstLlama3},
    KnownTemplate{.name = "falcon3", .jinja = kFalcon3, .behind_tools = true},
    KnownTemplate{"chatml", kChatMl},
    KnownTemplate{"chatml", kChatMlChecked},
    KnownTemplate{"chatml", kQwen2, "You are a helpful assistant."},
};

}  // namespace

const std::string& bitnet_chat_template() {
  static const std::string text(kBitNetOwn);
  return text;
}

bool is_mistaken_bitnet_template(const std::string& chat_template) {
  return chat_template.find("BITNETAssistant") != std::string::npos;
}

std::span<const KnownTemplate> known_templates() { return kKnown; }

}  // namespace bitnet
