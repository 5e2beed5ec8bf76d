// SPDX-License-Identifier: MIT
// The program behind `bitnet train-tokenizer`: a vocabulary from texts.
#include <bitnet/train/train_tokenizer.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>

namespace {

constexpr const char* kIntroduction =
    R"(Makes a tokenizer from texts: SentencePiece's BPE with bytes for what is rare, as the files tokenizer.json and
tokenizer_config.json. The same texts give the same files.

  bitnet train-tokenizer -o runs/tokenizer --data texts/ --vocab-size 4096)";

int run(int argc, char** argv) {
  bitnet::train::Sources data;
  bitnet::train::TokenizerTraining options;
  std::filesystem::path output;
  CLI::App app(kIntroduction, "bitnet train-tokenizer");
  app.add_option("-o,--output", output, "Folder")->required();
  app.add_option("--data", data, "Texts: .txt files, folders of them, .jsonl")->required();
  app.add_option("--vocab-size", options.vocab_size)->capture_default_str();
  app.add_option("--character-coverage", options.character_coverage,
                 "Share of the characters that get a token of their own")
      ->capture_default_str();
  app.add_option("-s,--seed", options.seed, "Of the sample that is taken of large texts")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  bitnet::train::train_tokenizer(data, options, output);
  std::cout << options.vocab_size << " tokens: " << (output / "tokenizer.json").string() << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bitnet: error: " << error.what() << '\n';
    return 1;
  }
}
