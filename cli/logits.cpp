// SPDX-License-Identifier: MIT
// `bitnet logits`: what a model computes, for those who compare engines.
#include <bitnet/error.h>
#include <bitnet/model.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "command.h"
#include "loaded_model.h"
#include "npy_file.h"

namespace bitnet::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::string output;
};

int run(const LogitsOptions& options) {
  LoadedModel loaded(options.model);
  LanguageModel& model = loaded.model();
  const std::vector<TokenId> tokens = read_prompt(options.prompt, loaded);
  if (tokens.empty()) {
    throw InvalidArgument("prompt: expected at least one token, found none");
  }
  const std::size_t vocabulary = model.config().vocab_size;
  const auto cache = model.new_kv_cache(tokens.size(), options.model.cache_type);
  NpyFile file(options.output, {tokens.size(), vocabulary});
  ProgressBar bar("Computing");
  constexpr std::size_t kRowsAtOnce = 64;
  std::vector<float> logits;
  for (std::size_t at = 0; at < tokens.size(); at += kRowsAtOnce) {
    const std::size_t rows = std::min(kRowsAtOnce, tokens.size() - at);
    logits.resize(rows * vocabulary);
    const SequenceStep step{std::span(tokens).subspan(at, rows), cache.get(), OutputRows::all};
    model.forward({&step, 1}, logits);
    file.append(logits);
    bar.update(at + rows, tokens.size());
  }
  file.commit();
  std::cerr << options.output << ": float32 [" << tokens.size() << ", " << vocabulary << "]\n";
  return 0;
}

}  // namespace

void add_logits_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("logits", "Write the logits of every position as a NumPy array");
  command->footer(
      R"(Writes float32 [T, V]: row t holds the logits behind token t.

Examples:
  bitnet logits -m model.gguf --tokens 1,2,3 -o logits.npy
  bitnet logits -m models/prose-nano -p "It is a truth" -o logits.npy)");
  auto options = std::make_shared<LogitsOptions>();
  add_model_options(*command, options->model);
  add_prompt_options(*command, options->prompt);
  command->add_option("-o,--output", options->output, "The .npy file to write")
      ->required()
      ->type_name("FILE");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
