// SPDX-License-Identifier: MIT
// ChatTemplate: how a conversation becomes the text that a model was trained on.
#pragma once

#include <bitnet/tokenizer.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet {

struct ChatMessage {
  std::string role;  ///< "system", "user", "assistant"
  std::string content;
};

/// One of the formats that are known here; files hold them as Jinja programs, which are recognized
/// by their text and never run.
class ChatTemplate {
 public:
  /// UnsupportedError that lists the names.
  static ChatTemplate from_name(std::string_view name);

  /// However its blanks, quotes and line breaks are written; nullopt for any other program.
  static std::optional<ChatTemplate> recognize(std::string_view jinja);

  /// The one in the model's files. UnsupportedError when there is none or it is not recognized: it
  /// lists the names and says how to choose one.
  static ChatTemplate of(const Tokenizer& tokenizer);

  /// "bitnet", "llama3", "falcon3", "chatml".
  static std::vector<std::string> names();

  const std::string& name() const { return name_; }

  /// The text without BOS, for Tokenizer::encode, which adds it. Control tokens are spelled out,
  /// and only the template's own segments parse them: a message that spells one ("<|eot_id|>")
  /// stays text, and ends no turn. With `add_generation_prompt` it ends where the assistant's
  /// answer begins. InvalidArgument for a role that the format has no place for.
  std::vector<TextSegment> segments(std::span<const ChatMessage> messages,
                                    bool add_generation_prompt) const;

  /// The same as one text, to look at: a model should be given the segments.
  std::string render(std::span<const ChatMessage> messages, bool add_generation_prompt) const;

 private:
  explicit ChatTemplate(std::string name, std::string default_system = {})
      : name_(std::move(name)), default_system_(std::move(default_system)) {}

  std::string name_;
  std::string default_system_;  ///< put in front where no system message is
};

}  // namespace bitnet
