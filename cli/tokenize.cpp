// SPDX-License-Identifier: MIT
// `bitnet tokenize`: how does a model see a text?
#include <bitnet/chat_template.h>
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "loaded_model.h"

namespace bitnet::cli {
namespace {

struct TokenizeOptions {
  std::string model;
  std::optional<std::string> prompt;
  std::string file;
  std::string messages;
  std::string chat_template;
  bool no_generation_prompt = false;
  std::optional<std::string> ids_to_decode;
  std::string pre;
  bool ids = false;
  bool count = false;
  bool json = false;
  bool no_bos = false;
  bool parse_special = false;
};

std::vector<ChatMessage> read_messages(const std::string& path) {
  std::vector<ChatMessage> messages;
  try {
    for (const nlohmann::json& message : nlohmann::json::parse(read_text_file(path))) {
      messages.push_back({message.at("role"), message.at("content")});
    }
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(path +
                      ": expected [{\"role\": TEXT, \"content\": TEXT}, ...]: " + error.what());
  }
  return messages;
}

std::string read_text(const TokenizeOptions& options) {
  if (options.prompt) {
    return *options.prompt;
  }
  return options.file.empty() ? read_standard_input() : read_text_file(options.file);
}

std::vector<TextSegment> read_segments(const Tokenizer& tokenizer, const TokenizeOptions& options) {
  if (options.messages.empty()) {
    return {{read_text(options), options.parse_special}};
  }
  const ChatTemplate chat_template = options.chat_template.empty()
                                         ? ChatTemplate::of(tokenizer)
                                         : ChatTemplate::from_name(options.chat_template);
  std::vector<TextSegment> segments =
      chat_template.segments(read_messages(options.messages), !options.no_generation_prompt);
  for (TextSegment& segment : segments) {
    segment.parse_special = segment.parse_special || options.parse_special;
  }
  return segments;
}

std::string joined(const std::vector<TextSegment>& segments) {
  std::string text;
  for (const TextSegment& segment : segments) {
    text += segment.text;
  }
  return text;
}

/// Quoted, on one line; bytes that are no UTF-8 as U+FFFD.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string bracketed(const std::vector<TokenId>& ids) {
  std::string text = "[";
  for (const TokenId id : ids) {
    text += (text.size() == 1 ? "" : ", ") + std::to_string(id);
  }
  return text + "]";
}

void print_json(const Tokenizer& tokenizer, const std::string& text,
                const std::vector<TokenId>& ids) {
  nlohmann::ordered_json json;
  json["text"] = text;
  json["ids"] = ids;
  json["tokens"] = nlohmann::ordered_json::array();
  for (const TokenId id : ids) {
    json["tokens"].push_back(tokenizer.token_bytes(id));
  }
  std::cout << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

void print_tokens(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) {
    std::cout << id << '\t' << quoted(tokenizer.token_bytes(id)) << '\n';
  }
}

void print_count(std::size_t bytes, std::size_t tokens, std::chrono::duration<double> time) {
  constexpr double kMega = 1e6;
  std::cout << tokens << '\n';
  std::cerr << format_bytes(bytes) << " of text, "
            << format_fixed(static_cast<double>(bytes) / kMega / time.count(), 1)
            << " MB/s on one thread\n";
}

int run(const TokenizeOptions& options) {
  const Tokenizer tokenizer = load_tokenizer(options.model, options.pre);
  if (options.ids_to_decode) {
    const std::string ids =
        *options.ids_to_decode == "-" ? read_text(options) : *options.ids_to_decode;
    std::cout << tokenizer.decode(parse_token_ids(ids, "--decode"), options.parse_special);
    return 0;
  }
  const std::vector<TextSegment> segments = read_segments(tokenizer, options);
  const std::string text = joined(segments);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<TokenId> ids = tokenizer.encode(segments, !options.no_bos);
  const auto time = std::chrono::steady_clock::now() - start;
  if (options.count) {
    print_count(text.size(), ids.size(), time);
  } else if (options.json) {
    print_json(tokenizer, text, ids);
  } else if (options.ids) {
    std::cout << bracketed(ids) << '\n';
  } else {
    print_tokens(tokenizer, ids);
  }
  return 0;
}

}  // namespace

void add_tokenize_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("tokenize", "Show how a model sees a text, and back");
  command->footer(
      R"(Prints one token per line: its id and its text. A folder needs no weights for this.

Examples:
  bitnet tokenize -m bitnet-2b4t.gguf -p "Hello world"
  bitnet tokenize -m models/bitnet-2b4t --ids < text.txt
  bitnet tokenize -m bitnet-2b4t.gguf --count -f book.txt
  bitnet tokenize -m bitnet-2b4t.gguf --messages chat.json
  bitnet tokenize -m bitnet-2b4t.gguf --decode "[9906, 1917]")");
  auto options = std::make_shared<TokenizeOptions>();
  command->add_option("-m,--model", options->model, "GGUF file, .safetensors file or folder")
      ->required()
      ->type_name("FILE|DIR");
  CLI::Option* prompt =
      command->add_option("-p,--prompt", options->prompt, "The text")->type_name("TEXT");
  CLI::Option* file = command->add_option("-f,--file", options->file, "Read the text from a file")
                          ->type_name("FILE")
                          ->excludes(prompt);
  CLI::Option* messages =
      command
          ->add_option("--messages", options->messages,
                       "Read a conversation from a JSON file and write it as the model's chat "
                       "template does")
          ->type_name("FILE")
          ->excludes(prompt)
          ->excludes(file);
  command
      ->add_option("--chat-template", options->chat_template,
                   "bitnet, llama3, falcon3 or chatml, overriding what the files say")
      ->type_name("NAME")
      ->needs(messages);
  command
      ->add_flag("--no-generation-prompt", options->no_generation_prompt,
                 "End behind the last message, not where the answer begins")
      ->needs(messages);
  CLI::Option* decode = command
                            ->add_option("--decode", options->ids_to_decode,
                                         "Print the text of these ids instead; - reads them")
                            ->type_name("IDS")
                            ->excludes(prompt)
                            ->excludes(file)
                            ->excludes(messages);
  CLI::Option* ids = command->add_flag("--ids", options->ids, "Print \"[id, id, ...]\" alone");
  command->add_flag("--count", options->count, "Print the number of tokens alone")
      ->excludes(decode)
      ->excludes(ids);
  command->add_flag("--no-bos", options->no_bos,
                    "Add no BOS (and no EOS), whatever the model says");
  command->add_flag(
      "--parse-special", options->parse_special,
      "Read text as \"<|eot_id|>\" as the token, in messages, too; with --decode, print "
      "such tokens");
  command->add_option("--pre", options->pre, "Pre-tokenizer, overriding what the files say")
      ->type_name("NAME");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
