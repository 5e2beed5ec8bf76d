// SPDX-License-Identifier: MIT
// `bitnet chat`: a conversation with a model.
#include <bitnet/chat_template.h>
#include <bitnet/error.h>
#include <bitnet/generation.h>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "base/output_file.h"
#include "command.h"
#include "generation_report.h"
#include "interrupt.h"
#include "loaded_model.h"

namespace bitnet::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  SamplingOptions sampling{.config = {.max_new_tokens = 1024}};
  SessionOptions session;
  std::string system;
  std::string chat_template;
};

constexpr const char* kCommands =
    "/exit      leave (or Ctrl-D)\n"
    "/clear     forget the conversation\n"
    "/regen     answer the last question again, with another seed\n"
    "/save FILE write the conversation\n"
    "/help      this list\n"
    "Ctrl-C ends an answer. A line that ends with \\ goes on in the next one.\n";

class Chat {
 public:
  Chat(LoadedModel& loaded, const ChatOptions& options)
      : loaded_(loaded),
        options_(options),
        template_(options.chat_template.empty() ? ChatTemplate::of(loaded.required_tokenizer())
                                                : ChatTemplate::from_name(options.chat_template)),
        session_(loaded.model(), &loaded.required_tokenizer(), options.session),
        config_(options.sampling.config_for(loaded)),
        is_terminal_(isatty(STDIN_FILENO) == 1) {
    clear();
  }

  int run() {
    if (is_terminal_) {
      std::cerr << "template " << template_.name() << "; /help lists the commands\n";
    }
    std::string line;
    while (read_line(line)) {
      if (line == "/exit") {
        break;
      }
      if (!line.empty()) {
        handle(line);
      }
    }
    return 0;
  }

 private:
  /// A line, with those that a backslash joins to it; false at the end of the input.
  bool read_line(std::string& line) {
    line.clear();
    std::string part;
    while (read_part(line.empty() ? "> " : ". ", part)) {
      line += part;
      if (!line.ends_with('\\')) {
        return true;
      }
      line.back() = '\n';
    }
    return !line.empty();
  }

  bool read_part(const char* prompt, std::string& part) {
    if (is_terminal_) {
      std::cerr << prompt << std::flush;
    }
    interrupt_.clear();
    if (std::getline(std::cin, part)) {
      return true;
    }
    if (!is_terminal_ || !interrupt_.requested()) {
      return false;
    }
    std::cin.clear();  // Ctrl-C drops what was typed
    std::cerr << '\n';
    part.clear();
    return true;
  }

  void handle(const std::string& line) {
    constexpr std::string_view kSave = "/save ";
    if (line == "/clear") {
      clear();
    } else if (line == "/regen") {
      regenerate();
    } else if (line.starts_with(kSave)) {
      save(line.substr(kSave.size()));
    } else if (line.starts_with('/')) {
      std::cerr << kCommands;
    } else {
      messages_.push_back({"user", line});
      answer();
    }
  }

  void clear() {
    messages_.clear();
    session_.reset();
    if (!options_.system.empty()) {
      messages_.push_back({"system", options_.system});
    }
  }

  void regenerate() {
    if (messages_.empty() || messages_.back().role != "assistant") {
      std::cerr << "there is no answer yet\n";
      return;
    }
    messages_.pop_back();
    ++config_.seed;
    answer();
  }

  void answer() {
    const std::vector<TokenId> prompt =
        loaded_.tokenizer()->encode(template_.segments(messages_, true));
    if (prompt.size() >= session_.context()) {
      std::cerr << "the conversation fills the context of " << session_.context()
                << " tokens: /clear it, or start with a larger -c\n";
      messages_.pop_back();
      return;
    }
    interrupt_.clear();
    config_.cancel = &interrupt_.requested();
    const GenerationResult result =
        session_.generate(prompt, config_, [](const GeneratedToken& piece) {
          std::cout << piece.text << std::flush;
          return std::cout.good();
        });
    std::cout << std::endl;
    if (is_terminal_) {
      std::cerr << "(" << describe(result, config_, loaded_) << ")\n";
    }
    messages_.push_back({"assistant", result.text});
  }

  void save(const std::string& path) const {
    std::string text;
    for (const ChatMessage& message : messages_) {
      text += message.role + ": " + message.content + "\n\n";
    }
    try {
      write_file(path, text);
      std::cerr << "saved " << path << '\n';
    } catch (const Error& error) {  // a full disk must not end the conversation
      std::cerr << "bitnet: error: " << error.what() << '\n';
    }
  }

  LoadedModel& loaded_;
  const ChatOptions& options_;
  ChatTemplate template_;
  Session session_;
  GenerationConfig config_;
  bool is_terminal_;
  Interrupt interrupt_;
  std::vector<ChatMessage> messages_;
};

int run(ChatOptions options) {
  LoadedModel loaded(options.model);
  options.session.cache_type = options.model.cache_type;
  return Chat(loaded, options).run();
}

}  // namespace

void add_chat_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("chat", "Talk with a model");
  command->footer(
      std::string(
          R"(Reads questions from standard input, writes answers to standard output. The model's own chat
template is used when it is one that we know; --chat-template names one for other models. What the
model has read is kept, so that each turn costs only its new part.

)") + kCommands +
      R"(
Examples:
  bitnet chat -m bitnet-2b4t.gguf --temp 0.7 --top-p 0.9
  bitnet chat -m model.gguf --chat-template chatml --system "Answer briefly."
  echo "What is a quark?" | bitnet chat -m bitnet-2b4t.gguf)");
  auto options = std::make_shared<ChatOptions>();
  add_model_options(*command, options->model);
  add_sampling_options(*command, options->sampling);
  add_session_options(*command, options->session);
  command->add_option("--system,--system-prompt", options->system, "System message")
      ->type_name("TEXT");
  command->add_option("--chat-template", options->chat_template, "Format of the conversation")
      ->check(CLI::IsMember(ChatTemplate::names()).description(""))
      ->type_name("bitnet|llama3|falcon3|chatml");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
