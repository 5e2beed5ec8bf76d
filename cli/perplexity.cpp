// SPDX-License-Identifier: MIT
// `bitnet perplexity`: how well does a model predict a text?
#include <bitnet/perplexity.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "loaded_model.h"

namespace bitnet::cli {
namespace {

struct PerplexityCommand {
  ModelOptions model;
  PromptOptions prompt;
  PerplexityOptions options;
  std::string method = "windows";
  std::optional<TokenId> first_token;
  bool json = false;
};

void print_json(const PerplexityResult& result, const PerplexityOptions& options) {
  nlohmann::ordered_json json;
  json["perplexity"] = result.perplexity();
  json["stderr"] = result.perplexity_stderr();
  json["nll"] = result.nll;
  json["tokens"] = result.scored_tokens;
  if (result.scored_bytes != 0) {
    json["bytes"] = result.scored_bytes;
    json["bits_per_byte"] = result.bits_per_byte();
  } else {
    json["bytes"] = nullptr;
    json["bits_per_byte"] = nullptr;
  }
  json["n_ctx"] = options.context;
  json["method"] = to_string(options.method);
  std::cout << json.dump(2) << '\n';
}

void print_text(const PerplexityResult& result, const PerplexityOptions& options) {
  std::cout << "perplexity " << format_fixed(result.perplexity(), 4) << " +/- "
            << format_fixed(result.perplexity_stderr(), 4) << " (" << result.scored_tokens
            << " tokens scored, n_ctx " << options.context << ", method "
            << to_string(options.method) << ")\n";
  std::cout << "nll        " << format_fixed(result.nll, 6) << " per token\n";
  if (result.scored_bytes != 0) {
    std::cout << "bits/byte  " << format_fixed(result.bits_per_byte(), 4) << '\n';
  }
}

int run(PerplexityCommand command) {
  LoadedModel loaded(command.model);
  PerplexityOptions& options = command.options;
  options.cache_type = command.model.cache_type;
  options.method =
      command.method == "windows" ? PerplexityMethod::windows : PerplexityMethod::second_half;
  options.context = std::min(options.context, loaded.model().max_positions());
  const Tokenizer* const tokenizer = loaded.tokenizer();
  options.first_token = command.first_token;
  if (!options.first_token && tokenizer != nullptr && tokenizer->adds_bos()) {
    options.first_token = tokenizer->bos();
  }
  const bool second_half = options.method == PerplexityMethod::second_half;
  const std::vector<TokenId> tokens =
      read_prompt(command.prompt, loaded, {.add_special = second_half});
  ProgressBar bar("Scoring");
  const PerplexityResult result = evaluate_perplexity(
      loaded.model(), tokens, tokenizer, options,
      [&](std::size_t done, std::size_t total, double) { bar.update(done, total); });
  (command.json ? print_json : print_text)(result, options);
  return 0;
}

}  // namespace

void add_perplexity_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("perplexity", "Measure how well a model predicts a text");
  command->footer(
      R"(Methods, which are not comparable with each other:
  windows      windows of -c tokens side by side, each token but a window's first counts (GPTQ papers,
               Hugging Face's stride = length); --stride N lets windows overlap
  second-half  llama.cpp's llama-perplexity: BOS is put in place of each window's first token, the
               second half of each window counts

Bits per byte are comparable between tokenizers. The standard error takes tokens as independent.

Examples:
  bitnet perplexity -m bitnet-2b4t.gguf -f wiki.test.raw --method second-half
  bitnet perplexity -m models/prose-nano -f dev.txt -c 256 --json
  bitnet perplexity -m model --tokens-file ids.txt -c 128)");
  auto options = std::make_shared<PerplexityCommand>();
  add_model_options(*command, options->model);
  add_prompt_options(*command, options->prompt);
  command->add_option("-c,--ctx-size", options->options.context, "Tokens of a window")
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--stride,--ppl-stride", options->options.stride,
                   "Windows begin so many tokens apart (default: -c)")
      ->type_name("N");
  command->add_option("--method", options->method, "How tokens are scored")
      ->check(CLI::IsMember({"windows", "second-half"}).description(""))
      ->type_name("windows|second-half")
      ->capture_default_str();
  command
      ->add_option("--first-token", options->first_token,
                   "second-half: put this in place of a window's first token (default: BOS)")
      ->type_name("ID");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
