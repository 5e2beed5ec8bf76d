// SPDX-License-Identifier: MIT
#include "run_folder.h"

#include <bitnet/error.h>
#include <bitnet/train/model_folder.h>
#include <torch/torch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/checked_json.h"
#include "base/mapped_file.h"
#include "base/message.h"
#include "base/output_file.h"
#include "stored_tensors.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "checkpoint-";
constexpr const char* kMoments = "optimizer.safetensors";
constexpr const char* kState = "training_state.json";

std::string name_of_step(std::int64_t step) {
  std::string digits = std::to_string(step);
  return kPrefix + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

void save_moments(const AdamW& optimizer, const fs::path& path) {
  NamedTensors moments;
  for (const AdamWState& state : optimizer.states()) {
    moments.emplace_back("first_moment." + state.name, state.first_moment);
    moments.emplace_back("second_moment." + state.name, state.second_moment);
  }
  write_tensors(path, moments);
}

}  // namespace

std::vector<fs::path> RunFolder::checkpoints() const {
  std::vector<fs::path> found;
  if (fs::is_directory(folder_)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (entry.is_directory() && name.starts_with(kPrefix) && fs::exists(entry.path() / kState)) {
        found.push_back(entry.path());
      }
    }
  }
  std::ranges::sort(found, {}, [](const fs::path& path) {
    const std::string name = path.filename();
    return std::pair(name.size(), name);
  });
  return found;
}

std::optional<fs::path> RunFolder::newest_checkpoint() const {
  const std::vector<fs::path> all = checkpoints();
  return all.empty() ? std::nullopt : std::optional(all.back());
}

fs::path RunFolder::save(const TransformerImpl& model, const AdamW& optimizer,
                         const TrainingState& state, const fs::path& tokenizer,
                         std::int64_t keep) const {
  const fs::path target = folder_ / name_of_step(state.step);
  const fs::path partial = folder_ / ("partial-" + target.filename().string());
  fs::remove_all(partial);
  fs::create_directories(partial);
  save_learned(model, partial, tokenizer);
  save_moments(optimizer, partial / kMoments);
  const nlohmann::ordered_json json = {{"step", state.step},
                                       {"tokens", state.tokens},
                                       {"best_loss", state.best_loss},
                                       {"evaluations_since_best", state.evaluations_since_best}};
  write_file(partial / kState, json.dump(2) + "\n");
  fs::remove_all(target);
  fs::rename(partial, target);
  const std::vector<fs::path> all = checkpoints();
  for (std::int64_t i = 0; i + keep < static_cast<std::int64_t>(all.size()); ++i) {
    fs::remove_all(all[i]);
  }
  return target;
}

TrainingState RunFolder::load(const fs::path& checkpoint, TransformerImpl& model,
                              AdamW& optimizer) {
  restore_learned(model, checkpoint);
  const Checkpoint moments = open_checkpoint(checkpoint / kMoments);
  for (const AdamWState& state : optimizer.states()) {
    read_tensor(moments, "first_moment." + state.name, state.first_moment);
    read_tensor(moments, "second_moment." + state.name, state.second_moment);
  }
  const std::string where = (checkpoint / kState).string();
  const nlohmann::json json =
      parse_checked_json(read_file_if_any(checkpoint / kState), where, {.max_depth = 4});
  try {
    TrainingState state{json.at("step"), json.at("tokens"), json.at("best_loss"),
                        json.at("evaluations_since_best")};
    optimizer.resume(state.step);
    return state;
  } catch (const nlohmann::json::exception&) {
    throw FormatError(message(where,
                              ": expected the numbers step, tokens, best_loss and "
                              "evaluations_since_best, found ",
                              describe_json(json)));
  }
}

}  // namespace bitnet::train
