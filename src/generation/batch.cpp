// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/generation.h>

#include <algorithm>
#include <utility>

#include "base/message.h"
#include "generation/continuation.h"

namespace bitnet {
namespace {

/// Prompts take turns in a few slots; a slot whose text has ended is refilled at once, so that
/// short texts do not wait for long ones.
class Batch {
 public:
  Batch(LanguageModel& model, const Tokenizer* tokenizer,
        std::span<const std::vector<TokenId>> prompts, const GenerationConfig& config,
        const BatchOptions& options, const BatchCallback& on_result)
      : model_(model),
        tokenizer_(tokenizer),
        prompts_(prompts),
        config_(config),
        options_(options.session),
        on_result_(on_result),
        slots_(std::min(options.parallel, prompts.size())),
        results_(prompts.size()) {
    if (options.parallel == 0) {
      throw InvalidArgument("parallel: expected at least 1, found 0");
    }
    options_.context = options_.context == 0 ? model.max_positions() : options_.context;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      check_prompt(prompts[i], message("prompt ", i + 1, " of ", prompts.size()),
                   model.config().vocab_size, options_.context);
    }
    for (Slot& slot : slots_) {
      slot.text.cache = model.new_kv_cache(options_.context, options_.cache_type);
    }
    for (GenerationResult& result : results_) {
      result.finish = FinishReason::cancelled;
    }
    logits_.resize(slots_.size() * model.config().vocab_size);
  }

  std::vector<GenerationResult> run() {
    while (collect_steps()) {
      forward();
    }
    for (Slot& slot : slots_) {
      if (slot.continuation) {  // cancelled
        results_[slot.prompt] = slot.continuation->take_result();
      }
    }
    return std::move(results_);
  }

 private:
  struct Slot {
    CachedText text;
    std::size_t prompt = 0;
    std::optional<Continuation> continuation;
  };

  bool is_cancelled() const {
    return is_stopped_ ||
           (config_.cancel != nullptr && config_.cancel->load(std::memory_order_relaxed));
  }

  /// The next step of each text; false when there is none.
  bool collect_steps() {
    steps_.clear();
    stepping_.clear();
    for (Slot& slot : slots_) {
      if (const std::optional<SequenceStep> step = next_step(slot)) {
        steps_.push_back(*step);
        stepping_.push_back(&slot);
      }
    }
    return !steps_.empty() && !is_cancelled();
  }

  std::optional<SequenceStep> next_step(Slot& slot) {
    while (!is_cancelled()) {
      if (slot.continuation) {
        if (std::optional<SequenceStep> step = slot.continuation->next_step()) {
          return step;
        }
        finish(slot);
      } else if (begun_ < prompts_.size()) {
        begin(slot);
      } else {
        break;
      }
    }
    return std::nullopt;
  }

  void begin(Slot& slot) {
    slot.prompt = begun_++;
    slot.continuation.emplace(model_, tokenizer_, config_, options_, kNoTokenCallback, slot.text,
                              prompts_[slot.prompt]);
  }

  /// Reports all results up to the first one that is still missing.
  void finish(Slot& slot) {
    results_[slot.prompt] = slot.continuation->take_result();
    slot.continuation.reset();
    const auto is_there = [&](const GenerationResult& result) {
      return result.finish != FinishReason::cancelled;
    };
    for (; !is_stopped_ && reported_ < results_.size() && is_there(results_[reported_]);
         ++reported_) {
      is_stopped_ = on_result_ && !on_result_(reported_, results_[reported_]);
    }
  }

  void forward() {
    const std::size_t vocabulary = model_.config().vocab_size;
    std::size_t rows = 0;
    for (const SequenceStep& step : steps_) {
      rows += step.rows();
    }
    std::span<float> logits = std::span(logits_).first(rows * vocabulary);
    model_.forward(steps_, logits);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const std::size_t size = steps_[i].rows() * vocabulary;
      stepping_[i]->continuation->accept(logits.first(size));
      logits = logits.subspan(size);
    }
  }

  static inline const TokenCallback kNoTokenCallback;

  LanguageModel& model_;
  const Tokenizer* tokenizer_;
  std::span<const std::vector<TokenId>> prompts_;
  const GenerationConfig& config_;
  SessionOptions options_;
  const BatchCallback& on_result_;
  std::vector<Slot> slots_;
  std::vector<GenerationResult> results_;  // cancelled: not there yet
  std::vector<SequenceStep> steps_;
  std::vector<Slot*> stepping_;  // whose each step is
  std::vector<float> logits_;    // [slots, V]
  std::size_t begun_ = 0;
  std::size_t reported_ = 0;
  bool is_stopped_ = false;
};

}  // namespace

std::vector<GenerationResult> generate_batch(LanguageModel& model, const Tokenizer* tokenizer,
                                             std::span<const std::vector<TokenId>> prompts,
                                             const GenerationConfig& config,
                                             const BatchOptions& options,
                                             const BatchCallback& on_result) {
  config.validate();
  return Batch(model, tokenizer, prompts, config, options, on_result).run();
}

}  // namespace bitnet
