// SPDX-License-Identifier: MIT
// `bitnet embed`: texts as vectors.
#include <bitnet/embedding.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "command.h"
#include "loaded_model.h"
#include "npy_file.h"

namespace bitnet::cli {
namespace {

struct EmbedOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::string pooling;
  std::string output;
  bool lines = false;
};

/// Token ids of each text.
std::vector<std::vector<TokenId>> read_texts(const EmbedOptions& options,
                                             const LoadedModel& loaded) {
  if (!options.lines) {
    return {read_prompt(options.prompt, loaded)};
  }
  std::vector<std::vector<TokenId>> texts;
  std::istringstream lines(read_text_file(options.prompt.file));
  for (std::string line; std::getline(lines, line);) {
    texts.push_back(loaded.required_tokenizer().encode(line));
  }
  return texts;
}

int run(const EmbedOptions& options) {
  LoadedModel loaded(options.model);
  const std::optional<Pooling> pooling =
      options.pooling.empty() ? std::nullopt : std::optional(parse_pooling_name(options.pooling));
  std::vector<std::vector<float>> vectors;
  ProgressBar bar("Embedding");
  const std::vector<std::vector<TokenId>> texts = read_texts(options, loaded);
  for (const std::vector<TokenId>& text : texts) {
    vectors.push_back(embed(loaded.model(), text, pooling, options.model.cache_type));
    bar.update(vectors.size(), texts.size());
  }
  if (options.output.empty()) {
    for (const std::vector<float>& vector : vectors) {
      std::cout << nlohmann::json(vector).dump() << '\n';
    }
    return 0;
  }
  const std::size_t width = loaded.model().config().hidden_size;
  NpyFile file(options.output,
               options.lines ? std::vector{vectors.size(), width} : std::vector{width});
  for (const std::vector<float>& vector : vectors) {
    file.append(vector);
  }
  file.commit();
  return 0;
}

}  // namespace

void add_embed_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("embed", "Turn a text into a vector");
  command->footer(
      R"(Prints the vector as a JSON array, one line for each text, or writes float32 [hidden] (with --lines
[texts, hidden]). Vectors have length 1: their dot product is the cosine.

Examples:
  bitnet embed -m bitnet-embedding-0.6b.gguf -p "a text" -o e.npy
  bitnet embed -m bitnet-embedding-0.6b -f texts.txt --lines
  bitnet embed -m model --tokens 1,2 -o e.npy)");
  auto options = std::make_shared<EmbedOptions>();
  add_model_options(*command, options->model);
  add_prompt_options(*command, options->prompt);
  command->add_option("--pooling", options->pooling, "Instead of the model's own")
      ->type_name("mean|cls|last");
  command->add_option("-o,--output", options->output, "A .npy file to write")->type_name("FILE");
  command->add_flag("--lines", options->lines, "Each line of -f FILE is a text")
      ->needs(command->get_option("--file"));
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
