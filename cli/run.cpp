// SPDX-License-Identifier: MIT
// `bitnet run`: a model continues a text.
#include <bitnet/error.h>
#include <bitnet/generation.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <iostream>
#include <memory>

#include "command.h"
#include "generation_report.h"
#include "interrupt.h"
#include "loaded_model.h"

namespace bitnet::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  PromptOptions prompt;
  GenerationConfig config;
  SessionOptions session;
  bool print_ids = false;
  bool display_prompt = false;
  bool no_bos = false;
  bool parse_special = false;
  bool json = false;
};

/// What was generated reaches standard output as it comes.
void print_piece(const GeneratedToken& piece, bool ids, bool& is_first) {
  if (ids) {
    std::cout << (is_first ? "" : " ") << piece.token;
  } else {
    std::cout << piece.text;
  }
  is_first = false;
  std::cout << std::flush;
}

int run(RunOptions options) {
  LoadedModel loaded(options.model);
  const EncodeOptions encoding{.add_special = !options.no_bos,
                               .parse_special = options.parse_special};
  const std::vector<TokenId> prompt = read_prompt(options.prompt, loaded, encoding);
  options.session.cache_type = options.model.cache_type;
  Session session(loaded.model(), loaded.tokenizer(), options.session);
  const Interrupt interrupt;
  options.config.cancel = &interrupt.requested();
  const bool ids = options.print_ids || loaded.tokenizer() == nullptr;
  if (options.display_prompt && !options.json && !ids) {
    std::cout << loaded.tokenizer()->decode(prompt);
  }
  bool is_first = true;
  const GenerationResult result =
      session.generate(prompt, options.config, [&](const GeneratedToken& piece) {
        if (!options.json) print_piece(piece, ids, is_first);
        return std::cout.good();
      });
  if (options.json) {
    std::cout << to_json(result).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << '\n';
  } else {
    std::cout << std::endl;
  }
  std::cerr << describe(result, options.config, loaded) << '\n';
  return 0;
}

}  // namespace

void add_run_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("run", "Let a model continue a text");
  command->footer(
      R"(The text goes to standard output as it is generated, everything else to standard error; the last
line there says how fast prompt and generation were. The same seed gives the same text, whatever the
number of threads and the CPU. Ctrl-C ends the text. LoRA adapters (PEFT's folder with
adapter_config.json) stand beside the ternary weights: y = BitLinear(x) + scale B (A x). They cost
some speed and lose nothing, unlike `bitnet merge`.

Examples:
  bitnet run -m bitnet-2b4t.gguf -p "The sea was" -n 100 --temp 0.8 --top-p 0.95
  bitnet run -m models/prose-nano -f beginning.txt -n 200 --temp 0.8 --seed 7
  bitnet run -m bitnet-2b4t.gguf --lora adapter --lora-scaled style 0.5 -p "Dear Sir"
  bitnet run -m model.gguf --tokens 1,2,3 --print-ids --ignore-eos -n 16)");
  auto options = std::make_shared<RunOptions>();
  add_model_options(*command, options->model);
  add_prompt_options(*command, options->prompt);
  add_sampling_options(*command, options->config);
  add_session_options(*command, options->session);
  command->add_flag("--print-ids", options->print_ids, "Print token ids instead of text");
  command->add_flag("--display-prompt", options->display_prompt, "Print the prompt, too");
  command->add_flag("--no-bos", options->no_bos, "Do not put BOS in front");
  command->add_flag("--special,--parse-special", options->parse_special,
                    "Read <|...|> in the text as special tokens");
  command->add_flag("--logprobs", options->config.logprobs, "Report probabilities (with --json)");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
