// SPDX-License-Identifier: MIT
// What the commands that run a model share: which model, how it is loaded, which text it is given.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/generation.h>
#include <bitnet/model.h>
#include <bitnet/runtime.h>
#include <bitnet/tokenizer.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command.h"

namespace bitnet::cli {

struct ModelOptions {
  std::string model;
  RuntimeOptions runtime;
  LoadOptions load;
  std::vector<LoraFile> lora;
  std::string pre;
  std::optional<CacheType> cache_type;
};
/// -m, -t, --lora, --lora-scaled, --head-type, --full-head, --cache-type, --hidden-act,
/// --linear-class, --i2s-layout, --pre
void add_model_options(CLI::App& command, ModelOptions& options);

/// A model with all that it needs. Notes of loading go to standard error.
class LoadedModel {
 public:
  explicit LoadedModel(const ModelOptions& options);

  LanguageModel& model() { return *model_; }
  const Runtime& runtime() const { return runtime_; }
  /// nullptr when the checkpoint has none that we can use.
  const Tokenizer* tokenizer() const { return tokenizer_ ? &*tokenizer_ : nullptr; }
  /// Error that says what to do without one.
  const Tokenizer& required_tokenizer() const;
  /// What generation_config.json says.
  const GenerationConfig& generation_config() const { return generation_config_; }
  double load_seconds() const { return load_seconds_; }

 private:
  Runtime runtime_;
  std::unique_ptr<LanguageModel> model_;
  std::optional<Tokenizer> tokenizer_;
  std::string tokenizer_problem_;
  GenerationConfig generation_config_;
  std::string path_;
  double load_seconds_ = 0;
};

struct PromptOptions {
  std::optional<std::string> text;
  std::string file;
  std::optional<std::string> tokens;
  std::string tokens_file;
};
/// -p, -f, --tokens, --tokens-file: exactly one is given, or standard input is read. Returns their
/// group, for further ones of which none may be given beside them.
CLI::App* add_prompt_options(CLI::App& command, PromptOptions& options);
/// Token ids of whichever was given. `add_special`: with BOS where the model has it.
std::vector<TokenId> read_prompt(const PromptOptions& options, const LoadedModel& model,
                                 const EncodeOptions& encoding = {});
std::string read_text_file(const std::string& path);
std::string read_standard_input();

/// Numbers between commas, brackets and white space: "[1, 2]". InvalidArgument naming `where`.
std::vector<TokenId> parse_token_ids(const std::string& text, const std::string& where);

/// -c, --context-shift, --keep
void add_session_options(CLI::App& command, SessionOptions& options);

struct SamplingOptions {
  GenerationConfig config;
  // Absent: as the model says.
  std::optional<float> temperature = std::nullopt;
  std::optional<std::size_t> top_k = std::nullopt;
  std::optional<float> top_p = std::nullopt;

  GenerationConfig config_for(const LoadedModel& model) const;
};
/// -n, --temp, --top-k, ...: llama.cpp's names.
void add_sampling_options(CLI::App& command, SamplingOptions& options);

}  // namespace bitnet::cli
