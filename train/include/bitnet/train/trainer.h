// SPDX-License-Identifier: MIT
// train: from texts to a ternary language model.
#pragma once

#include <bitnet/model_config.h>
#include <bitnet/train/batches.h>
#include <bitnet/train/distillation.h>
#include <bitnet/train/schedule.h>
#include <bitnet/train/token_file.h>
#include <bitnet/train/transformer.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::train {

/// Every choice of a run. In JSON each field is a key of the same name; `model` holds the keys of a
/// Hugging Face config.json.
struct TrainingOptions {
  std::filesystem::path output;  ///< folder: checkpoints, metrics.jsonl, and the best model itself

  // Data.
  Sources data;                     ///< what is learned
  Sources dev;                      ///< what is evaluated meanwhile; may be empty
  std::filesystem::path tokenizer;  ///< a folder; empty: that of `from`

  // Model.
  std::filesystem::path from;  ///< checkpoint to go on from; empty: random weights of shape `model`
  ModelConfig model;           ///< vocab_size 0: the tokenizer's
  bool quantize = true;        ///< false: a float model, as a twin to compare with
  /// Steps in which the strength of quantization grows from 0 to 1: for float checkpoints.
  std::int64_t lambda_warmup = 0;

  // Distillation.
  std::filesystem::path teacher;  ///< checkpoint to learn from beside the texts; empty: none
  DistillationOptions distillation;

  // Adapter. Rank 0: the model itself learns; else LoRA matrices beside it, and `output` gets
  // PEFT's adapter folder instead of a model.
  std::int64_t lora_rank = 0;
  double lora_alpha = 32;
  std::vector<std::string> lora_targets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                           "gate_proj", "up_proj", "down_proj"};

  // Batches.
  std::int64_t batch_size = 16;  ///< rows
  std::int64_t context = 256;    ///< tokens of a row
  std::int64_t accumulate = 1;   ///< batches to a step

  // Optimization. Schedule::steps 0: `epochs` of the data.
  Schedule schedule;
  double epochs = 1;
  double clip = 1;             ///< bound of the gradient's norm; 0: none
  double dropout = 0;          ///< TransformerImpl::set_dropout
  double label_smoothing = 0;  ///< TransformerImpl::set_label_smoothing
  std::uint64_t seed = 1;
  std::int64_t early_stop = 0;  ///< evaluations without a better one that end the run; 0: never

  // Where and how.
  std::string device = "cpu";  ///< as libtorch names it: "cuda", "cuda:1"
  bool bfloat16 = false;       ///< Precision::bfloat16 instead of float32

  // How often, in steps.
  std::int64_t log_every = 10;
  std::int64_t evaluate_every = 250;
  std::int64_t save_every = 250;
  std::int64_t keep_checkpoints = 2;

  /// Throws InvalidArgument naming field, value and what is allowed.
  void validate() const;
  std::string to_json() const;
  /// Keys that are missing keep the values of `defaults`. FormatError for unknown keys.
  static TrainingOptions from_json(std::string_view text, TrainingOptions defaults);
};

/// What the model is at the beginning, or where a run is resumed.
struct TrainingStart {
  std::int64_t step;  ///< the first that is taken
  std::int64_t steps;
  std::int64_t parameters, ternary_parameters;
  std::uint64_t train_tokens, dev_tokens;
};

/// Means over the steps since the last report.
struct StepReport {
  std::int64_t step;  ///< steps taken
  double loss;        ///< nats per token
  double learning_rate, weight_decay, lambda;
  double gradient_norm;  ///< before clipping
  std::uint64_t tokens;  ///< seen since the run began, all resumed parts together
  double seconds;        ///< since this part began
  double tokens_per_second;
  double sparsity;        ///< share of zero trits
  double flips_per_step;  ///< trits that changed
};

struct EvaluationReport {
  std::int64_t step;
  double loss;  ///< nats per token
  double bits_per_byte;
  bool best;  ///< so far
};

enum class TrainingEnd { steps, early_stop, interrupted };
std::string_view to_string(TrainingEnd end);

/// Told what happens, as it happens.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void on_start(const TrainingStart& /*start*/) {}
  virtual void on_step(const StepReport& /*report*/) {}
  virtual void on_evaluation(const EvaluationReport& /*report*/) {}
  /// A complete folder that bitnet::load_model reads, or load_lora.
  virtual void on_checkpoint(std::int64_t /*step*/, const std::filesystem::path& /*folder*/) {}
  /// Asked after each step: true saves a checkpoint and ends the run.
  virtual bool should_stop() { return false; }
};

/// Trains, or goes on where the newest checkpoint of `output` stands: then the same weights come
/// out, bit by bit, as if it had not been interrupted, for the same options, number of threads and
/// machine. Throws Error naming step and parameter when numbers are no longer finite,
/// InvalidArgument when `output` holds a run with other options, and what reading and writing
/// throw.
TrainingEnd train(const TrainingOptions& options, TrainingObserver& observer);

struct EvaluationResult {
  double nll = 0;                       ///< sum, in nats
  std::uint64_t tokens = 0, bytes = 0;  ///< predicted

  double loss() const { return nll / static_cast<double>(tokens); }
  double bits_per_byte() const;
};

/// Predicts all of the file once, without dropout.
EvaluationResult evaluate(TransformerImpl& model, const TokenFile& file, const Tokenizer& tokenizer,
                          const BatchOptions& options);

}  // namespace bitnet::train
