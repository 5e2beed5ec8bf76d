// SPDX-License-Identifier: MIT
#include <bitnet/chat_template.h>
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/message.h"
#include "tokenizer/chat_templates.h"
#include "tokenizer/code_points.h"
#include "tokenizer/jinja_text.h"

namespace bitnet {
namespace {

constexpr std::string_view kFalcon3Eos = "<|endoftext|>";

/// Python's str.strip(), which Jinja's trim is: white space and four separators.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSeparators = "\x1c\x1d\x1e\x1f";
  const auto is_separator = [&](char c) { return kSeparators.find(c) != std::string_view::npos; };
  while (!text.empty() && (is_separator(text.front()) || leading_space(text) > 0)) {
    text.remove_prefix(is_separator(text.front()) ? 1 : leading_space(text));
  }
  while (!text.empty() && (is_separator(text.back()) || trailing_space(text) > 0)) {
    text.remove_suffix(is_separator(text.back()) ? 1 : trailing_space(text));
  }
  return text;
}

/// Python's str.capitalize() of ASCII letters.
std::string capitalized(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_upper = text[i] >= 'A' && text[i] <= 'Z';
    const bool is_lower = text[i] >= 'a' && text[i] <= 'z';
    if (i == 0 ? is_lower : is_upper) {
      text[i] = static_cast<char>(text[i] ^ 0x20);
    }
  }
  return text;
}

using Segments = std::vector<TextSegment>;

/// The template's own text, and what it was given.
TextSegment own(std::string_view text) { return {std::string(text), true}; }
TextSegment given(std::string_view text) { return {std::string(text), false}; }

Segments bitnet_message(const ChatMessage& message, bool /*is_last*/) {
  return {given(capitalized(message.role)), own(": "), given(trimmed(message.content)),
          own("<|eot_id|>")};
}

Segments llama3_message(const ChatMessage& message, bool /*is_last*/) {
  return {own("<|start_header_id|>"), given(message.role), own("<|end_header_id|>\n\n"),
          given(trimmed(message.content)), own("<|eot_id|>")};
}

Segments falcon3_message(const ChatMessage& chat, bool is_last) {
  if (chat.role != "system" && chat.role != "user" && chat.role != "assistant") {
    throw InvalidArgument(message("chat template falcon3: expected a role system, user or ",
                                  "assistant, found '", chat.role, "'"));
  }
  const bool is_answer = chat.role == "assistant";
  return {own("<|" + chat.role + "|>\n"), given(chat.content), own(is_answer ? kFalcon3Eos : ""),
          own(is_answer && is_last ? "" : "\n")};
}

Segments chatml_message(const ChatMessage& message, bool /*is_last*/) {
  return {own("<|im_start|>"), given(message.role), own("\n"), given(message.content),
          own("<|im_end|>\n")};
}

struct Format {
  std::string_view name;
  Segments (*message)(const ChatMessage&, bool is_last);
  std::string_view generation_prompt;
};

constexpr std::array kFormats = {
    Format{"bitnet", bitnet_message, "Assistant: "},
    Format{"llama3", llama3_message, "<|start_header_id|>assistant<|end_header_id|>\n\n"},
    Format{"falcon3", falcon3_message, "<|assistant|>\n"},
    Format{"chatml", chatml_message, "<|im_start|>assistant\n"},
};

const Format* find_format(std::string_view name) {
  for (const Format& format : kFormats) {
    if (format.name == name) {
      return &format;
    }
  }
  return nullptr;
}

std::string name_list() {
  std::string list;
  for (const Format& format : kFormats) {
    list += (list.empty() ? "" : ", ") + std::string(format.name);
  }
  return list;
}

bool is_known(const std::string& canonical, const KnownTemplate& known) {
  const std::string expected = canonical_jinja(known.jinja);
  return canonical == expected || (known.behind_tools && canonical.starts_with("{%if tools}") &&
                                   canonical.ends_with("{%else}" + expected + "{%endif}"));
}

}  // namespace

ChatTemplate ChatTemplate::from_name(std::string_view name) {
  if (find_format(name) == nullptr) {
    throw UnsupportedError(
        message("chat template: expected one of ", name_list(), ", found '", name, "'"));
  }
  return ChatTemplate(std::string(name));
}

std::optional<ChatTemplate> ChatTemplate::recognize(std::string_view jinja) {
  const std::string canonical = canonical_jinja(jinja);
  for (const KnownTemplate& known : known_templates()) {
    if (is_known(canonical, known)) {
      return ChatTemplate(std::string(known.name), std::string(known.default_system));
    }
  }
  return std::nullopt;
}

ChatTemplate ChatTemplate::of(const Tokenizer& tokenizer) {
  const std::string* const jinja = tokenizer.chat_template();
  if (jinja != nullptr) {
    if (auto known = recognize(*jinja)) {
      return *std::move(known);
    }
  }
  throw UnsupportedError(message(
      "chat template: ", jinja != nullptr ? "the model's own is not known" : "the model has none",
      "; choose one of ", name_list(), " with --chat-template NAME"));
}

std::vector<std::string> ChatTemplate::names() {
  std::vector<std::string> names;
  names.reserve(kFormats.size());
  for (const Format& format : kFormats) {
    names.emplace_back(format.name);
  }
  return names;
}

std::vector<TextSegment> ChatTemplate::segments(std::span<const ChatMessage> messages,
                                                bool add_generation_prompt) const {
  const Format& format = *find_format(name_);
  Segments all;
  const auto append = [&](Segments segments) {
    std::ranges::move(segments, std::back_inserter(all));
  };
  if (!default_system_.empty() && !messages.empty() && messages.front().role != "system") {
    append(format.message({"system", default_system_}, false));
  }
  for (const ChatMessage& message : messages) {
    append(format.message(message, &message == &messages.back()));
  }
  if (add_generation_prompt) {
    append({own(format.generation_prompt)});
  }
  return all;
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages,
                                 bool add_generation_prompt) const {
  std::string text;
  for (const TextSegment& segment : segments(messages, add_generation_prompt)) {
    text += segment.text;
  }
  return text;
}

}  // namespace bitnet
