// SPDX-License-Identifier: MIT
// The program `bitnet`: one subcommand per file of this folder.
//
// Exit status: 0 done, 1 an error (or a check of `doctor` that failed), 2 a wrong command line.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "command.h"

namespace {

constexpr int kFailure = 1;
constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "bitnet: run, quantize, convert and inspect ternary (BitNet b1.58) language models";

constexpr const char* kExamples = R"(Examples:
  bitnet run -m bitnet-2b4t.gguf -p "The sea was" -n 100   let a model continue a text
  bitnet chat -m bitnet-2b4t.gguf                          talk with it
  bitnet perplexity -m bitnet-2b4t.gguf -f wiki.txt        how well does it predict a text?
  bitnet quantize models/bitnet-2b4t -o bitnet-2b4t.gguf   ternarize a checkpoint folder
  bitnet convert bitnet-2b4t.gguf -o hf --to safetensors   any dialect of file into any other
  bitnet run -m bitnet-2b4t.gguf --lora adapter -p "Hi"    with a LoRA adapter beside the trits
  bitnet merge models/bitnet-2b4t --lora adapter -o out    the adapter into the weights, and what it cost
  bitnet inspect bitnet-2b4t.gguf                          what is inside?
  bitnet inspect bitnet-2b4t.gguf --source models/bitnet-2b4t
                                                           how far is it from the float weights?
  bitnet verify bitnet-2b4t.gguf                           can it be trusted?
  bitnet train -o runs/mine --data texts --tokenizer models/prose
                                                           train one
  bitnet doctor                                            is this machine computing right, how fast?

Environment:
  BITNET_ISA=scalar|avx2|avx512|neon   use these kernels; results never depend on the choice

`bitnet COMMAND --help` explains a command.)";

int report_usage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    return app.exit(error);  // --help and --version print and succeed
  }
  std::cerr << "bitnet: error: " << error.what() << "\nRun `bitnet --help` for help.\n";
  return kUsageError;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{kDescription, "bitnet"};
  app.footer(kExamples);
  app.set_version_flag("--version", "bitnet " BITNET_VERSION);
  app.require_subcommand(1);

  bitnet::cli::Command chosen;
  bitnet::cli::add_run_command(app, chosen);
  bitnet::cli::add_chat_command(app, chosen);
  bitnet::cli::add_quantize_command(app, chosen);
  bitnet::cli::add_convert_command(app, chosen);
  bitnet::cli::add_merge_command(app, chosen);
  bitnet::cli::add_inspect_command(app, chosen);
  bitnet::cli::add_verify_command(app, chosen);
  bitnet::cli::add_tokenize_command(app, chosen);
  bitnet::cli::add_perplexity_command(app, chosen);
  bitnet::cli::add_embed_command(app, chosen);
  bitnet::cli::add_logits_command(app, chosen);
  bitnet::cli::add_doctor_command(app, chosen);
  bitnet::cli::add_bench_command(app, chosen);
  bitnet::cli::add_train_commands(app, chosen);

  try {
    app.parse(argc, argv);
    return chosen();
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error);
  } catch (const std::exception& error) {
    std::cerr << "bitnet: error: " << error.what() << '\n';
    return kFailure;
  }
}
