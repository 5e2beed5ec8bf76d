// SPDX-License-Identifier: MIT
#include "loaded_model.h"

#include <bitnet/diagnostics.h>
#include <bitnet/error.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>

#include "command.h"

namespace bitnet::cli {
namespace {

std::string read_stream(std::istream& in) {
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// "15043+1.5", "15043-inf"
void parse_bias(const std::string& text, GenerationConfig& config) {
  TokenId token = 0;
  float bias = 0;
  const char* const end = text.data() + text.size();
  const auto [sign, token_error] = std::from_chars(text.data(), end, token);
  const bool has_sign = token_error == std::errc() && sign != end && (*sign == '+' || *sign == '-');
  const bool forbids = has_sign && std::string_view(sign, end) == "-inf";
  if (has_sign && !forbids) {
    const auto [stop, error] = std::from_chars(*sign == '+' ? sign + 1 : sign, end, bias);
    if (error == std::errc() && stop == end) {
      config.logit_bias[token] = bias;
      return;
    }
  }
  if (!forbids) {
    throw CLI::ValidationError("--logit-bias",
                               "expected TOKEN_ID+BIAS or TOKEN_ID-BIAS, found '" + text + "'");
  }
  config.logit_bias[token] = -std::numeric_limits<float>::infinity();
}

RuntimeOptions with_threads(RuntimeOptions options) {
  options.threads = options.threads == 0 ? recommended_threads() : options.threads;
  return options;
}

}  // namespace

void add_model_options(CLI::App& command, ModelOptions& options) {
  command.add_option("-m,--model", options.model, "GGUF file or Hugging Face folder")
      ->required()
      ->type_name("FILE|DIR");
  command
      .add_option("-t,--threads", options.runtime.threads,
                  "Threads to use (default: as many as memory bandwidth repays)")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  add_lora_options(command, options.lora);
  static const std::map<std::string, HeadType> kHeads = {{"auto", HeadType::automatic},
                                                         {"stored", HeadType::stored},
                                                         {"q8_0", HeadType::q8_0},
                                                         {"q6_k", HeadType::q6_k}};
  command.add_option("--head-type", options.load.head, "Output head (auto: as stored)")
      ->transform(CLI::CheckedTransformer(kHeads).description(""))
      ->type_name("auto|stored|q8_0|q6_k");
  command.add_flag_callback(
      "--full-head", [&options] { options.load.head_sketch = false; },
      "Score every token at each step (default: those that a 4-bit sketch cannot rule out; same "
      "text)");
  static const std::map<std::string, CacheType> kCaches = {
      {"f32", CacheType::f32}, {"f16", CacheType::f16}, {"q8_0", CacheType::q8_0}};
  command
      .add_option("--cache-type,--cache-type-k", options.cache_type,
                  "Keys and values (default: f16, for small models f32)")
      ->transform(CLI::CheckedTransformer(kCaches).description(""))
      ->type_name("f32|f16|q8_0");
  command
      .add_option("--hidden-act", options.load.hidden_act,
                  "Activation function of a GGUF file that does not say it: relu2 or silu")
      ->type_name("NAME");
  command
      .add_option("--linear-class", options.load.linear_class,
                  "How packed scales are meant: bitlinear (divide) or autobitlinear (multiply)")
      ->type_name("CLASS");
  static const std::map<std::string, Encoding> kLayouts = {
      {"128", Encoding::i2_s}, {"64", Encoding::i2_s_64}, {"rows4", Encoding::i2_s_rows4}};
  command.add_option("--i2s-layout", options.load.i2_s_layout, "Layout of an I2_S file")
      ->transform(CLI::CheckedTransformer(kLayouts).description(""))
      ->type_name("128|64|rows4");
  command.add_option("--pre", options.pre, "Name of the pre-tokenizer, when the file's is wrong")
      ->type_name("NAME");
}

LoadedModel::LoadedModel(const ModelOptions& options)
    : runtime_(with_threads(options.runtime)), path_(options.model) {
  const auto start = std::chrono::steady_clock::now();
  const Checkpoint checkpoint = open_checkpoint(options.model);
  LoadOptions load = options.load;
  load.lora = load_lora_files(options.lora);
  model_ = load_model(checkpoint, runtime_, load);
  load_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  try {
    tokenizer_ = find_tokenizer(checkpoint, options.pre);
  } catch (const Error& error) {  // token ids need none
    tokenizer_problem_ = error.what();
    std::cerr << "note: no tokenizer: " << tokenizer_problem_ << '\n';
  }
  generation_config_ = load_generation_config(checkpoint);
  for (const std::string& note : model_->notes()) {
    std::cerr << "note: " << note << '\n';
  }
}

const Tokenizer& LoadedModel::required_tokenizer() const {
  if (!tokenizer_) {
    throw InvalidArgument(!tokenizer_problem_.empty()
                              ? tokenizer_problem_
                              : path_ + ": this model has no tokenizer: use --tokens");
  }
  return *tokenizer_;
}

CLI::App* add_prompt_options(CLI::App& command, PromptOptions& options) {
  CLI::Option_group* const group = command.add_option_group("text");
  group->add_option("-p,--prompt", options.text, "The text itself")->type_name("TEXT");
  group->add_option("-f,--file", options.file, "A file that holds it")->type_name("FILE");
  group->add_option("--tokens", options.tokens, "Token ids instead, taken as they are")
      ->type_name("1,2,3");
  group->add_option("--tokens-file", options.tokens_file, "A file of token ids")->type_name("FILE");
  group->require_option(0, 1);
  return group;
}

std::string read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text = read_stream(file);
  if (!file.is_open() || file.bad()) {
    throw IoError(path + ": cannot be read");
  }
  return text;
}

std::string read_standard_input() { return read_stream(std::cin); }

std::vector<TokenId> read_prompt(const PromptOptions& options, const LoadedModel& model,
                                 const EncodeOptions& encoding) {
  if (options.tokens) {
    return parse_token_ids(*options.tokens, "--tokens");
  }
  if (!options.tokens_file.empty()) {
    return parse_token_ids(read_text_file(options.tokens_file), options.tokens_file);
  }
  const Tokenizer& tokenizer = model.required_tokenizer();
  return tokenizer.encode(options.text           ? *options.text
                          : options.file.empty() ? read_standard_input()
                                                 : read_text_file(options.file),
                          encoding);
}

std::vector<TokenId> parse_token_ids(const std::string& text, const std::string& where) {
  constexpr std::string_view kBetween = " ,[]\t\n\r";
  std::vector<TokenId> ids;
  for (std::size_t at = text.find_first_not_of(kBetween); at != std::string::npos;
       at = text.find_first_not_of(kBetween, at)) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    TokenId id = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, id);
    if (error != std::errc() || stop != text.data() + end) {
      throw InvalidArgument(where + ": expected token ids, found '" + text.substr(at, end - at) +
                            "'");
    }
    ids.push_back(id);
    at = end;
  }
  return ids;
}

void add_session_options(CLI::App& command, SessionOptions& options) {
  command
      .add_option("-c,--ctx-size", options.context,
                  "Context in tokens (default: what the model knows)")
      ->type_name("N");
  command.add_flag("--context-shift", options.context_shift,
                   "When the context is full, forget the older half and go on");
  command.add_option("--keep", options.keep, "Tokens at the beginning never to forget")
      ->type_name("N");
}

GenerationConfig SamplingOptions::config_for(const LoadedModel& model) const {
  const GenerationConfig& models = model.generation_config();
  GenerationConfig result = config;
  result.temperature = temperature.value_or(models.temperature);
  result.top_k = top_k.value_or(models.top_k);
  result.top_p = top_p.value_or(models.top_p);
  return result;
}

void add_sampling_options(CLI::App& command, SamplingOptions& options) {
  GenerationConfig& config = options.config;
  command.add_option("-n,--predict,--n-predict", config.max_new_tokens, "Tokens to generate")
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--temp", options.temperature, "Temperature; 0: always the most likely token")
      ->type_name("T")
      ->default_str("the model's, else 0");
  command.add_option("--top-k", options.top_k, "Keep the K most likely tokens; 0: all")
      ->type_name("K")
      ->default_str("the model's, else 0");
  command.add_option("--top-p", options.top_p, "Keep those that make up this probability; 1: all")
      ->type_name("P")
      ->default_str("the model's, else 1");
  command.add_option("--min-p", config.min_p, "Drop those below this part of the most likely one")
      ->type_name("P")
      ->capture_default_str();
  command.add_option("--typical", config.typical_p, "Locally typical sampling; 1: off")
      ->type_name("P")
      ->capture_default_str();
  command.add_option("-s,--seed", config.seed, "Seed of the draws: the same seed, the same text")
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--repeat-penalty", config.repetition_penalty,
                  "Divides what was said before; 1: off")
      ->type_name("X")
      ->capture_default_str();
  command.add_option("--repeat-last-n", config.repeat_last_n, "Tokens that penalties look back on")
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--frequency-penalty", config.frequency_penalty, "Subtracted for each time")
      ->type_name("X")
      ->capture_default_str();
  command.add_option("--presence-penalty", config.presence_penalty, "Subtracted once")
      ->type_name("X")
      ->capture_default_str();
  command
      .add_option_function<std::vector<std::string>>(
          "-l,--logit-bias",
          [&config](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) parse_bias(text, config);
          },
          "Add to the logit of a token; -inf forbids it")
      ->type_name("TOKEN_ID(+|-)BIAS")
      ->take_all();
  command.add_option("--stop,-r,--reverse-prompt", config.stop, "Strings that end the text")
      ->type_name("TEXT")
      ->take_all();
  command.add_flag("--ignore-eos", config.ignore_eos, "Go on behind the model's end tokens");
}

}  // namespace bitnet::cli
