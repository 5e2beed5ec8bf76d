// SPDX-License-Identifier: MIT
// The folder of a run: checkpoint-000250/, ... each a complete model with the state of its
// training.
#pragma once

#include <bitnet/train/adamw.h>
#include <bitnet/train/transformer.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace bitnet::train {

/// What a run needs beside weights and moments to go on.
struct TrainingState {
  std::int64_t step = 0;
  std::uint64_t tokens = 0;
  double best_loss = 0;  ///< of an evaluation; 0: there was none
  std::int64_t evaluations_since_best = 0;
};

class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The newest complete checkpoint.
  std::optional<std::filesystem::path> newest_checkpoint() const;
  /// Writes checkpoint-STEP beside what is there and renames it; removes all but the `keep` newest.
  std::filesystem::path save(const TransformerImpl& model, const AdamW& optimizer,
                             const TrainingState& state, const std::filesystem::path& tokenizer,
                             std::int64_t keep) const;
  /// Into the model's and the optimizer's tensors. FormatError when it is of another model.
  static TrainingState load(const std::filesystem::path& checkpoint, TransformerImpl& model,
                            AdamW& optimizer);

 private:
  std::vector<std::filesystem::path> checkpoints() const;  // oldest first

  std::filesystem::path folder_;
};

}  // namespace bitnet::train
