// SPDX-License-Identifier: MIT
#include "generated_lines.h"

#include <bitnet/error.h>

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.h"
#include "interrupt.h"

namespace bitnet::cli {
namespace {

/// As a shell reports what Ctrl-C ended: the lines are not complete.
constexpr int kInterrupted = 130;

std::vector<std::vector<TokenId>> encode(const Tokenizer& tokenizer,
                                         const std::vector<std::string>& prompts,
                                         const EncodeOptions& options) {
  std::vector<std::vector<TokenId>> tokens;
  tokens.reserve(prompts.size());
  for (const std::string& prompt : prompts) {
    try {
      tokens.push_back(tokenizer.encode(prompt, options));
    } catch (const InvalidArgument& error) {
      throw InvalidArgument("line " + std::to_string(tokens.size() + 1) + ": " + error.what());
    }
  }
  return tokens;
}

/// The text in one field of one line.
std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '\\':
        escaped += "\\\\";
        break;
      case '\n':
        escaped += "\\n";
        break;
      case '\r':
        escaped += "\\r";
        break;
      case '\t':
        escaped += "\\t";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string join(const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) {
    text.append(text.empty() ? "" : " ").append(std::to_string(id));
  }
  return text;
}

std::string to_json_line(const std::string& prompt, const GenerationResult& result) {
  nlohmann::ordered_json json;
  json["prompt"] = prompt;
  json["completion"] = result.text;
  json["tokens"] = result.tokens;
  if (!result.logprobs.empty()) {
    json["logprobs"] = result.logprobs;
  }
  json["finish"] = to_string(result.finish);
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string to_line(const std::string& prompt, const GenerationResult& result, LineFormat format) {
  if (format == LineFormat::json) {
    return to_json_line(prompt, result);
  }
  return escape(prompt) + '\t' +
         (format == LineFormat::ids ? join(result.tokens) : escape(result.text));
}

std::string describe(const std::vector<GenerationResult>& results, double seconds,
                     const LoadedModel& loaded) {
  std::size_t read = 0;
  std::size_t generated = 0;
  for (const GenerationResult& result : results) {
    read += result.prompt_tokens - result.cached_tokens;
    generated += result.tokens.size();
  }
  return std::to_string(results.size()) + " lines in " + format_fixed(seconds, 2) +
         " s: " + std::to_string(read) + " tokens read, " + std::to_string(generated) +
         " generated, " + format_fixed(static_cast<double>(read + generated) / seconds, 0) +
         " tokens/s; " + std::to_string(loaded.runtime().threads()) + " threads; loaded in " +
         format_fixed(loaded.load_seconds(), 2) + " s";
}

}  // namespace

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.emplace_back(line);
  }
  return lines;
}

int generate_lines(LoadedModel& loaded, const std::vector<std::string>& prompts,
                   const EncodeOptions& encoding, GenerationConfig config,
                   const BatchOptions& options, LineFormat format) {
  const Tokenizer& tokenizer = loaded.required_tokenizer();
  const std::vector<std::vector<TokenId>> tokens = encode(tokenizer, prompts, encoding);
  const Interrupt interrupt;
  config.cancel = &interrupt.requested();
  ProgressBar bar("Generating");
  const bool lines_are_seen = isatty(STDOUT_FILENO) == 1;  // which is progress enough
  const auto start = std::chrono::steady_clock::now();
  const std::vector<GenerationResult> results =
      generate_batch(loaded.model(), &tokenizer, tokens, config, options,
                     [&](std::size_t index, const GenerationResult& result) {
                       std::cout << to_line(prompts[index], result, format) << '\n';
                       if (!lines_are_seen) {
                         bar.update(index + 1, prompts.size());
                       }
                       return std::cout.good();
                     });
  std::cout << std::flush;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::cerr << describe(results, elapsed.count(), loaded) << '\n';
  return interrupt.requested() ? kInterrupted : 0;
}

}  // namespace bitnet::cli
