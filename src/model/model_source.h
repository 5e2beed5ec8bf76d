// SPDX-License-Identifier: MIT
// ModelSource: a checkpoint whose tensors are understood, whichever dialect it is written in.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/lora.h>
#include <bitnet/runtime.h>

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/hf_packed.h"
#include "model/model_config.h"
#include "model/model_family.h"
#include "model/weight_names.h"

namespace bitnet {

/// What the user knows better than the file.
struct ModelSourceOptions {
  /// Of a GGUF file: "relu2" or "silu".
  std::optional<std::string> hidden_act = std::nullopt;
  /// Of a Hugging Face checkpoint with packed weights.
  std::optional<std::string> linear_class = std::nullopt;
  /// i2_s, i2_s_64 or i2_s_rows4.
  std::optional<Encoding> i2_s_layout = std::nullopt;
  /// Adapters to add; they must outlive the source.
  std::span<const ScaledLora> lora = {};
};

/// scale * B A of one adapter, to be added to a weight.
struct WeightUpdate {
  const LoraMatrix* matrix;
  std::size_t rank;
  float scale;
};

/// One weight of the model and the tensor that holds it. Rows are numbered as in a Hugging Face
/// checkpoint.
struct SourceWeight {
  WeightName name;
  StoredTensor tensor;                         ///< of the layout that it really has
  const StoredTensor* scale_tensor = nullptr;  ///< X.weight_scale or blk.N.X.scale
  bool hf_packed = false;                      ///< U8 codes of four rows per byte
  bool rows_are_permuted = false;              ///< row r is stored at query_key_permuted_row(r)
  bool one_was_added = false;                  ///< to a norm gain (WeightName::gguf_adds_one)
  std::vector<WeightUpdate> updates = {};      ///< in the order of ModelSourceOptions::lora
};

class ModelSource {
 public:
  /// Throws UnsupportedError or FormatError naming what is unknown, missing, doubled or of another
  /// shape than the configuration says. The checkpoint must outlive the source.
  ModelSource(const Checkpoint& checkpoint, const ModelSourceOptions& options,
              const Runtime& runtime);

  const Checkpoint& checkpoint() const { return checkpoint_; }
  const ModelConfig& config() const { return config_; }
  const ModelFamily& family() const { return *family_; }
  /// In the order of computation; complete.
  const std::vector<SourceWeight>& weights() const { return weights_; }
  /// nullptr when the checkpoint has no such weight; by Hugging Face or GGUF name.
  const SourceWeight* find(std::string_view name) const;
  /// What X.weight_scale of packed projections means.
  HfScaleMeaning scale_meaning() const { return scale_meaning_; }
  /// Decisions that the files left open, and repairs.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void read_hugging_face_config(const ModelSourceOptions& options);
  void collect_weights();
  void add_weight(const WeightName& name, const StoredTensor& tensor);
  void require_known_tensors() const;
  void require_whole_groups() const;
  void add_updates(const ScaledLora& lora);

  const Checkpoint& checkpoint_;
  ModelConfig config_;
  const ModelFamily* family_ = nullptr;
  std::vector<SourceWeight> weights_;
  HfScaleMeaning scale_meaning_ = HfScaleMeaning::multiplier;
  std::vector<std::string> notes_;
};

/// The weight without its adapters.
SourceWeight base_of(const SourceWeight& weight);

/// What may stand beside the weights of a Hugging Face checkpoint and goes where they go.
inline constexpr std::array kCompanionFiles = {"generation_config.json", "tokenizer.json",
                                               "tokenizer_config.json",  "special_tokens_map.json",
                                               "added_tokens.json",      "chat_template.jinja",
                                               "tokenizer.model"};

/// The folder of a Hugging Face checkpoint.
std::filesystem::path checkpoint_folder(const Checkpoint& checkpoint);
/// Whether the checkpoint's folder has such a file.
bool has_companion(const Checkpoint& checkpoint, const char* name);
/// A text file of the checkpoint's folder ("1_Pooling/config.json"); empty when there is none, and
/// for GGUF files, which hold everything themselves.
std::string read_companion(const Checkpoint& checkpoint, const char* name);

}  // namespace bitnet
