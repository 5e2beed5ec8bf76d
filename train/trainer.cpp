// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/tokenizer.h>
#include <bitnet/train/adamw.h>
#include <bitnet/train/model_folder.h>
#include <bitnet/train/trainer.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/mapped_file.h"
#include "base/message.h"
#include "base/output_file.h"
#include "batch_tensors.h"
#include "corpus/random.h"
#include "device.h"
#include "run_folder.h"
#include "trit_census.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

fs::path tokenizer_folder(const TrainingOptions& options) {
  if (!options.tokenizer.empty()) {
    return options.tokenizer;
  }
  if (!options.from.empty()) {
    return fs::is_directory(options.from) ? options.from : options.from.parent_path();
  }
  throw InvalidArgument("tokenizer: expected a folder, found none");
}

Transformer initial_weights(const TrainingOptions& options, const Tokenizer& tokenizer) {
  torch::manual_seed(options.seed);
  if (options.lora_rank != 0) {
    Transformer model = load_frozen_transformer(open_checkpoint(options.from));
    model->add_low_rank_updates(options.lora_rank,
                                options.lora_alpha / static_cast<double>(options.lora_rank),
                                options.lora_targets);
    return model;
  }
  if (!options.from.empty()) {
    return load_transformer(open_checkpoint(options.from));
  }
  ModelConfig config = options.model;
  config.vocab_size = std::max<std::uint64_t>(config.vocab_size, tokenizer.vocab_size());
  config.max_position_embeddings = std::max<std::uint64_t>(
      config.max_position_embeddings, static_cast<std::uint64_t>(options.context));
  config.bos_token_id = tokenizer.bos();
  if (tokenizer.eos()) {
    config.eos_token_ids = {*tokenizer.eos()};
  }
  return Transformer(config);
}

Transformer initial_model(const TrainingOptions& options, const Tokenizer& tokenizer) {
  Transformer model = initial_weights(options, tokenizer);
  model->set_dropout(options.dropout);
  model->set_label_smoothing(options.label_smoothing);
  place(*model, options);
  return model;
}

BatchOptions batch_options(const TrainingOptions& options, const TokenFile& file) {
  return {.rows = static_cast<std::size_t>(options.batch_size),
          .columns = static_cast<std::size_t>(options.context),
          .seed = options.seed,
          .layout = layout_of(file)};
}

std::optional<Teacher> teacher_of(const TrainingOptions& options, const Transformer& student) {
  if (options.teacher.empty()) {
    return std::nullopt;
  }
  Teacher teacher(open_checkpoint(options.teacher), options.distillation, student->config());
  place(*teacher.model(), options);
  return teacher;
}

/// One run: everything that lives as long as it.
class Trainer {
 public:
  Trainer(const TrainingOptions& options, TrainingObserver& observer)
      : options_(options),
        observer_(observer),
        folder_(options.output),
        tokenizer_folder_(tokenizer_folder(options)),
        tokenizer_(load_tokenizer(tokenizer_folder_)),
        train_(token_file_for(options.data, tokenizer_, options.output / "train.safetensors",
                              Runtime())),
        sampler_(train_, batch_options(options, train_)),
        model_(initial_model(options, tokenizer_)),
        teacher_(teacher_of(options, model_)),
        optimizer_(*model_) {
    if (!options.dev.empty()) {
      dev_ = token_file_for(options.dev, tokenizer_, options.output / "dev.safetensors", Runtime());
    }
    if (options_.schedule.steps == 0) {
      options_.schedule.steps = std::max<std::int64_t>(
          1, static_cast<std::int64_t>(
                 std::ceil(options.epochs * static_cast<double>(sampler_.batches_per_epoch()) /
                           static_cast<double>(options.accumulate))));
    }
    remember_options();
    if (const auto newest = folder_.newest_checkpoint()) {
      state_ = RunFolder::load(*newest, *model_, optimizer_);
    }
  }

  TrainingEnd run() {
    announce();
    census_.count(*model_);
    while (state_.step < options_.schedule.steps) {
      step();
      const bool last = state_.step == options_.schedule.steps;
      if (state_.step % options_.log_every == 0 || last) {
        report();
      }
      if (state_.step % options_.evaluate_every == 0 || last) {
        evaluate_dev();
      }
      const bool gave_up =
          options_.early_stop != 0 && state_.evaluations_since_best >= options_.early_stop;
      const bool stopped = observer_.should_stop();
      if (state_.step % options_.save_every == 0 || last || gave_up || stopped) {
        save();
      }
      if (gave_up || (stopped && !last)) {
        return gave_up ? TrainingEnd::early_stop : TrainingEnd::interrupted;
      }
    }
    return TrainingEnd::steps;
  }

 private:
  /// A run is resumed with the options it began with; those that only say how often things happen,
  /// or where it ends, may differ.
  void remember_options() const {
    TrainingOptions same = options_;
    same.output.clear();
    same.log_every = same.evaluate_every = same.save_every = same.keep_checkpoints = 1;
    same.early_stop = 0;
    const std::string text = same.to_json();
    const fs::path path = options_.output / "options.json";
    if (folder_.newest_checkpoint()) {
      const std::string before = read_file_if_any(path);
      if (!before.empty() && before != text) {
        throw InvalidArgument(message(options_.output.string(),
                                      ": holds a run with other options (options.json); expected "
                                      "the same ones to resume it, or another output"));
      }
    }
    write_file(path, text);
  }

  void announce() {
    TrainingStart start{state_.step, options_.schedule.steps, 0,
                        0,           train_.size(),           dev_ ? dev_->size() : 0};
    for (const auto& parameter : model_->parameters()) {
      start.parameters += parameter.numel();
    }
    for (const TernaryLinear& projection : model_->projections()) {
      start.ternary_parameters += projection.out_features() * projection.in_features();
      start.parameters +=
          projection.packed ? projection.out_features() * projection.in_features() : 0;
    }
    observer_.on_start(start);
  }

  void step() {
    const Schedule::Rates rates = options_.schedule.at(state_.step);
    model_->set_lambda(strength());
    // What dropout leaves out follows from seed and step alone, as the batches do.
    torch::manual_seed(random_at(options_.seed, static_cast<std::uint64_t>(state_.step)));
    optimizer_.zero_grad();
    std::vector<Batch> batches;
    std::int64_t targets = 0;
    for (std::int64_t i = 0; i < options_.accumulate; ++i) {
      batches.push_back(sampler_.batch(state_.step * options_.accumulate + i));
      targets += std::ranges::count_if(batches.back().targets, [](auto id) { return id >= 0; });
      state_.tokens += batches.back().inputs.size();
      tokens_ += batches.back().inputs.size();
    }
    double loss = 0;
    const auto denominator = static_cast<double>(targets);
    for (const Batch& batch : batches) {
      const BatchTensors tensors = tensors_of(batch, model_->embedding().device());
      const torch::Tensor part =
          teacher_ ? teacher_->loss(*model_, tensors.inputs, tensors.targets, denominator)
                   : model_->loss(tensors.inputs, tensors.targets, denominator);
      part.backward();
      loss += part.item<double>();
    }
    const double norm = optimizer_.gradient_norm();
    require_finite(loss, norm);
    if (options_.clip != 0 && norm > options_.clip) {
      optimizer_.scale_gradients(options_.clip / norm);
    }
    optimizer_.step(rates.learning_rate, rates.weight_decay);
    ++state_.step;
    ++steps_;
    loss_ += loss;
    norm_ += norm;
  }

  double strength() const {
    return options_.quantize ? lambda_at(state_.step, options_.lambda_warmup) : 0;
  }

  void require_finite(double loss, double norm) const {
    if (std::isfinite(loss) && std::isfinite(norm)) {
      return;
    }
    std::string culprit = "the loss alone";
    for (const AdamWState& state : optimizer_.states()) {
      const torch::Tensor& gradient = state.parameter.grad();
      if (gradient.defined() && !gradient.isfinite().all().item<bool>()) {
        culprit = state.name;
        break;
      }
    }
    throw Error(message("step ", state_.step + 1, ": expected finite numbers, found a loss of ",
                        loss, " and a gradient norm of ", norm, "; first: ", culprit,
                        ". A lower learning rate or clip may help; the checkpoints are intact"));
  }

  void report() {
    const TritCensus::Count trits = census_.count(*model_);
    const Schedule::Rates rates = options_.schedule.at(state_.step - 1);
    const auto steps = static_cast<double>(steps_);
    observer_.on_step({.step = state_.step,
                       .loss = loss_ / steps,
                       .learning_rate = rates.learning_rate,
                       .weight_decay = rates.weight_decay,
                       .lambda = model_->lambda(),
                       .gradient_norm = norm_ / steps,
                       .tokens = state_.tokens,
                       .seconds = seconds_since(start_),
                       .tokens_per_second = static_cast<double>(tokens_) / seconds_since(reported_),
                       .sparsity = trits.sparsity,
                       .flips_per_step = static_cast<double>(trits.flips) / steps});
    loss_ = norm_ = 0;
    steps_ = 0;
    tokens_ = 0;
    reported_ = Clock::now();
  }

  void evaluate_dev() {
    if (!dev_) {
      save_learned(*model_, options_.output, tokenizer_folder_);
      return;
    }
    model_->set_lambda(options_.quantize ? 1 : 0);
    const EvaluationResult result =
        evaluate(*model_, *dev_, tokenizer_, batch_options(options_, *dev_));
    const bool best = state_.best_loss == 0 || result.loss() < state_.best_loss;
    if (best) {
      state_.best_loss = result.loss();
      state_.evaluations_since_best = 0;
      save_learned(*model_, options_.output, tokenizer_folder_);
    } else {
      ++state_.evaluations_since_best;
    }
    observer_.on_evaluation({state_.step, result.loss(), result.bits_per_byte(), best});
    reported_ = Clock::now();
  }

  void save() {
    const fs::path folder =
        folder_.save(*model_, optimizer_, state_, tokenizer_folder_, options_.keep_checkpoints);
    observer_.on_checkpoint(state_.step, folder);
    reported_ = Clock::now();
  }

  TrainingOptions options_;
  TrainingObserver& observer_;
  RunFolder folder_;
  fs::path tokenizer_folder_;
  Tokenizer tokenizer_;
  TokenFile train_;
  std::optional<TokenFile> dev_;
  BatchSampler sampler_;
  Transformer model_;
  std::optional<Teacher> teacher_;
  AdamW optimizer_;
  TritCensus census_;
  TrainingState state_;
  Clock::time_point start_ = Clock::now();

  // Since the last report.
  Clock::time_point reported_ = start_;
  std::int64_t steps_ = 0;
  std::uint64_t tokens_ = 0;
  double loss_ = 0;
  double norm_ = 0;
};

}  // namespace

TrainingEnd train(const TrainingOptions& options, TrainingObserver& observer) {
  options.validate();
  fs::create_directories(options.output);
  return Trainer(options, observer).run();
}

}  // namespace bitnet::train
