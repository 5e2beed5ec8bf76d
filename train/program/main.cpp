// SPDX-License-Identifier: MIT
// The program behind `bitnet train`: texts in, a ternary model out.
#include <ATen/Parallel.h>
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>
#include <bitnet/train/continue_greedily.h>
#include <bitnet/train/model_folder.h>
#include <bitnet/train/trainer.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/mapped_file.h"
#include "base/message.h"
#include "device.h"
#include "program/run_log.h"

namespace bitnet::train {
namespace {

constexpr const char* kIntroduction = R"(Trains a ternary (BitNet b1.58) language model on texts.

A CONFIG.json holds options by their names with underscores ("batch_size": 32) and, as "model", the keys of a
Hugging Face config.json; flags win over it. The output folder gets the best model itself (run it with
`bitnet run -m DIR`), checkpoints, metrics.jsonl and report.html. Called again with the same options, a run goes
on where its newest checkpoint stands, with the same result bit by bit.

  bitnet train-tokenizer -o runs/tokenizer --data texts/ --vocab-size 4096
  bitnet train -o runs/prose --data texts/ --dev dev.txt --tokenizer runs/tokenizer --epochs 3
  bitnet train -o runs/tuned --from runs/prose --data mine.txt --learning-rate 2e-4
  bitnet train -o runs/style --from model.gguf --tokenizer models/hf --data letters/ --lora-rank 16
  bitnet train -o runs/converted --from ./Llama --data texts/ --lambda-warmup 1000 --teacher ./Llama)";

ModelConfig small_model() {
  ModelConfig config;
  config.architectures = {"BitNetForCausalLM"};
  config.model_type = "bitnet";
  config.hidden_act = "relu2";
  config.hidden_size = 256;
  config.intermediate_size = 768;
  config.num_hidden_layers = 6;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 64;
  config.rms_norm_eps = 1e-5;
  config.rope_theta = 10000;
  config.tie_word_embeddings = true;
  return config;
}

/// The options of the CONFIG.json among the arguments; flags are read on top of them.
TrainingOptions configured(const std::vector<std::string>& arguments) {
  TrainingOptions options;
  options.model = small_model();
  for (const std::string& argument : arguments) {
    if (!argument.starts_with("-") && argument.ends_with(".json")) {
      const std::string text = read_file_if_any(argument);
      if (text.empty()) {
        throw IoError(message(argument, ": cannot be read, or is empty"));
      }
      return TrainingOptions::from_json(text, options);
    }
  }
  return options;
}

void add_data_options(CLI::App& app, TrainingOptions& options) {
  app.add_option("-o,--output", options.output, "Folder of the run and its model");
  app.add_option(
      "--data", options.data,
      "Texts to learn: .txt files, folders of them, .jsonl (text, or prompt and completion); "
      "what is named twice counts twice");
  app.add_option("--dev", options.dev, "Texts to evaluate on meanwhile");
  app.add_option("--tokenizer", options.tokenizer,
                 "Folder with a tokenizer, as `bitnet train-tokenizer` makes it [that of --from]");
}

void add_model_options(CLI::App& app, TrainingOptions& options) {
  app.add_option("--from", options.from,
                 "Checkpoint to go on from: a folder or GGUF file, ternary or float");
  ModelConfig& model = options.model;
  app.add_option("--hidden-size", model.hidden_size)->capture_default_str();
  app.add_option("--intermediate-size", model.intermediate_size)->capture_default_str();
  app.add_option("--num-hidden-layers", model.num_hidden_layers)->capture_default_str();
  app.add_option("--num-attention-heads", model.num_attention_heads)->capture_default_str();
  app.add_option("--num-key-value-heads", model.num_key_value_heads)->capture_default_str();
  app.add_option("--head-dim", model.head_dim)->capture_default_str();
  app.add_flag("!--float", options.quantize,
               "Train a float model: the twin to compare a ternary one with");
  app.add_option("--lambda-warmup", options.lambda_warmup,
                 "Steps in which quantization sets in, for float checkpoints")
      ->capture_default_str();
  app.add_option("--lora-rank", options.lora_rank,
                 "Train a LoRA adapter of this rank beside --from, which stays as it is; 0: none")
      ->capture_default_str();
  app.add_option("--lora-alpha", options.lora_alpha, "The adapter counts alpha / rank")
      ->capture_default_str();
  app.add_option("--lora-targets", options.lora_targets, "Projections that get one")
      ->capture_default_str();
}

void add_distillation_options(CLI::App& app, TrainingOptions& options) {
  DistillationOptions& distillation = options.distillation;
  app.add_option(
      "--teacher", options.teacher,
      "Checkpoint to learn from beside the texts: floats are a float model, packed trits "
      "a ternary one");
  app.add_option("--distill-logits", distillation.logits,
                 "Weight of the divergence from the teacher's logits")
      ->capture_default_str();
  app.add_option("--distill-temperature", distillation.temperature, "Of both logits")
      ->capture_default_str();
  app.add_option("--distill-relations", distillation.relations,
                 "Weight of the divergence from the relations in the teacher's attention")
      ->capture_default_str();
  app.add_option("--relation-layer", distillation.relation_layer,
                 "Where they are compared, from 0 on; -1: behind 6/7 of the layers")
      ->capture_default_str();
  app.add_option("--relation-heads", distillation.relation_heads,
                 "Heads that they are compared in; 0: as many as KV heads")
      ->capture_default_str();
}

void add_optimization_options(CLI::App& app, TrainingOptions& options) {
  Schedule& schedule = options.schedule;
  app.add_option("-b,--batch-size", options.batch_size, "Rows of a batch")->capture_default_str();
  app.add_option("-c,--context", options.context, "Tokens of a row")->capture_default_str();
  app.add_option("--accumulate", options.accumulate, "Batches to a step")->capture_default_str();
  app.add_option("--epochs", options.epochs, "Times to see the data, without --steps")
      ->capture_default_str();
  app.add_option("--steps", schedule.steps, "Steps of the optimizer [by --epochs]");
  app.add_option_function<std::string>(
         "--schedule",
         [&schedule](const std::string& name) { schedule.kind = parse_schedule(name); },
         "two_stage (the recipe of BitNet b1.58), linear, cosine, wsd, constant")
      ->default_str(std::string(to_string(schedule.kind)));
  app.add_option("--learning-rate", schedule.learning_rate, "Peak")->capture_default_str();
  app.add_option("--second-peak", schedule.second_peak, "Of two_stage, in its second half")
      ->capture_default_str();
  app.add_option("--least-learning-rate", schedule.least_learning_rate,
                 "Where linear and cosine end; two_stage at that part of its second peak")
      ->capture_default_str();
  app.add_option("--warmup-steps", schedule.warmup_steps)->capture_default_str();
  app.add_option("--weight-decay", schedule.weight_decay, "In two_stage's first half")
      ->capture_default_str();
  app.add_option("--clip", options.clip, "Bound of the gradient's norm; 0: none")
      ->capture_default_str();
  app.add_option("--dropout", options.dropout,
                 "Share of what layers add that is left out at random, for little data")
      ->capture_default_str();
  app.add_option("--label-smoothing", options.label_smoothing,
                 "Share of each target that goes to all tokens alike, for little data")
      ->capture_default_str();
  app.add_option("-s,--seed", options.seed)->capture_default_str();
  app.add_option("--early-stop", options.early_stop,
                 "End after so many evaluations without a better one; 0: never")
      ->capture_default_str();
}

Transformer model_of(const TrainingOptions& options, const Checkpoint& checkpoint) {
  Transformer model = load_transformer(checkpoint);
  place(*model, options);
  model->set_lambda(options.quantize ? 1 : 0);
  return model;
}

/// Continues each line of the file (- for standard input): a JSON line for each.
int continue_lines(const TrainingOptions& options, const std::string& path) {
  const Checkpoint checkpoint = open_checkpoint(options.from);
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  std::ifstream file(path);
  std::istream& input = path == "-" ? std::cin : file;
  if (!input) {
    throw IoError(message(path, ": cannot be read"));
  }
  std::vector<std::string> lines;
  std::vector<std::vector<TokenId>> prompts;
  for (std::string line; std::getline(input, line);) {
    if (line.ends_with('\r')) {
      line.pop_back();
    }
    prompts.push_back(tokenizer.encode(line));
    lines.push_back(std::move(line));
  }
  const auto results = continue_greedily(*model_of(options, checkpoint), prompts,
                                         static_cast<std::size_t>(options.context));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const nlohmann::ordered_json json = {{"prompt", lines[i]},
                                         {"completion", tokenizer.decode(results[i])}};
    std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  }
  return 0;
}

/// Scores `options.from` on the sources, one line for all of them.
int score(const TrainingOptions& options, const Sources& sources) {
  const Checkpoint checkpoint = open_checkpoint(options.from);
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  Transformer model = model_of(options, checkpoint);
  const std::filesystem::path tokens =
      std::filesystem::temp_directory_path() / message("bitnet-tokens-", getpid(), ".safetensors");
  write_token_file(tokens, tokenizer, sources, Runtime());
  const TokenFile file(tokens);
  std::filesystem::remove(tokens);  // the mapping stays
  const EvaluationResult result = evaluate(*model, file, tokenizer,
                                           {.rows = static_cast<std::size_t>(options.batch_size),
                                            .columns = static_cast<std::size_t>(options.context),
                                            .layout = layout_of(file)});
  std::cout << message(result.tokens, " tokens, ", result.bytes, " bytes: loss ", result.loss(),
                       ", perplexity ", std::exp(result.loss()), ", ", result.bits_per_byte(),
                       " bits per byte\n");
  return 0;
}

int run(int argc, char** argv) {
  TrainingOptions options = configured({argv + 1, argv + argc});
  CLI::App app(kIntroduction, "bitnet train");
  std::string config_file;
  int threads = 0;
  app.add_option("CONFIG.json", config_file, "Options by their names");
  add_data_options(app, options);
  add_model_options(app, options);
  add_distillation_options(app, options);
  add_optimization_options(app, options);
  app.add_option("--device", options.device, "cpu, cuda, cuda:1")->capture_default_str();
  app.add_flag("--bf16", options.bfloat16,
               "Float products in bfloat16, for GPUs: a CPU gains nothing by it");
  app.add_option("--log-every", options.log_every, "Steps")->capture_default_str();
  app.add_option("--evaluate-every", options.evaluate_every, "Steps")->capture_default_str();
  app.add_option("--save-every", options.save_every, "Steps")->capture_default_str();
  app.add_option("--keep-checkpoints", options.keep_checkpoints)->capture_default_str();
  app.add_option("-t,--threads", threads, "Threads; 0: one per core")->capture_default_str();
  Sources scored;
  app.add_option("--evaluate", scored,
                 "Do not train: say how well the model --from predicts these texts");
  std::string continued;
  app.add_option("--continue", continued,
                 "Do not train: continue each line of this file (- for standard input) by the "
                 "likeliest tokens, at most --context of them, as JSON lines; for float models, "
                 "which `bitnet run` does not run");
  std::vector<std::string> prompts;
  app.add_option("-p,--prompt", prompts, "Continue this text at each checkpoint; repeatable");
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(threads > 0 ? threads
                                  : static_cast<int>(std::thread::hardware_concurrency()));
  if (!scored.empty()) {
    return score(options, scored);
  }
  if (!continued.empty()) {
    return continue_lines(options, continued);
  }
  options.validate();
  std::filesystem::create_directories(options.output);
  RunLog log(options, prompts);
  log.finish(train(options, log));
  return 0;
}

}  // namespace
}  // namespace bitnet::train

int main(int argc, char** argv) {
  try {
    return bitnet::train::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bitnet: error: " << error.what() << '\n';
    return 1;
  }
}
