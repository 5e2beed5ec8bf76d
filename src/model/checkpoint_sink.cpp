// SPDX-License-Identifier: MIT
#include "model/checkpoint_sink.h"

#include <bitnet/error.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/message.h"
#include "base/output_file.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors_writer.h"
#include "model/gguf_metadata.h"
#include "model/hugging_face_config.h"
#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer/hugging_face_tokenizer.h"

namespace bitnet {
namespace {

/// Encoding of the first projection: the label of the whole file.
Encoding matrix_encoding(const ConversionPlan& plan) {
  return std::find_if(plan.tensors.begin(), plan.tensors.end(),
                      [](const PlannedTensor& tensor) {
                        return tensor.source->name.role == WeightRole::projection;
                      })
      ->encoding;
}

/// general.name, general.license and whatever else a GGUF input says about itself in words.
void carry_descriptions(const Checkpoint& input, std::vector<GgufKeyValue>& keys) {
  if (input.format() != Checkpoint::Format::gguf) {
    return;
  }
  for (const auto& [key, value] : input.metadata()) {
    const auto* const text = std::get_if<std::string>(&value);
    if (key.starts_with("general.") && key != "general.architecture" && text != nullptr) {
      keys.push_back({key, *text});
    }
  }
}

std::vector<GgufKeyValue> key_values(const ModelSource& source, const ConversionPlan& plan,
                                     const std::optional<TokenizerData>& tokenizer) {
  std::vector<GgufKeyValue> result =
      gguf_metadata(source.config(), plan.architecture, matrix_encoding(plan));
  carry_descriptions(source.checkpoint(), result);
  std::vector<GgufKeyValue> of_tokenizer =
      tokenizer ? write_gguf_tokenizer(*tokenizer) : gguf_without_tokenizer();
  std::move(of_tokenizer.begin(), of_tokenizer.end(), std::back_inserter(result));
  return result;
}

class GgufSink : public CheckpointSink {
 public:
  GgufSink(const ModelSource& source, const ConversionPlan& plan,
           const std::optional<TokenizerData>& tokenizer, const std::filesystem::path& output)
      : writer_(output, key_values(source, plan, tokenizer), declarations(plan)) {}

  void append(std::span<const std::byte> bytes) override { writer_.append(bytes); }
  void put_scale(std::size_t /*tensor_index*/, float scale) override {
    writer_.append(std::as_bytes(std::span(&scale, 1)));
  }
  void commit() override { writer_.commit(); }
  std::uint64_t size() const override { return writer_.offset(); }

 private:
  /// Each tensor, followed by its scale if it has one.
  static std::vector<TensorDeclaration> declarations(const ConversionPlan& plan) {
    std::vector<TensorDeclaration> result;
    for (const PlannedTensor& tensor : plan.tensors) {
      result.push_back(declare(tensor));
      if (!tensor.scale_name.empty()) {
        result.push_back(declare_scale(tensor));
      }
    }
    return result;
  }

  GgufWriter writer_;
};

/// A folder. Scales are float32 and stand in front, where they are aligned, though each is known
/// only when its matrix has been read.
class SafetensorsSink : public CheckpointSink {
 public:
  SafetensorsSink(const ModelSource& source, const ConversionPlan& plan,
                  const std::optional<TokenizerData>& tokenizer,
                  const std::filesystem::path& output)
      : source_(source), plan_(plan), tokenizer_(tokenizer), folder_(output) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error || !std::filesystem::is_directory(folder_)) {
      throw IoError(message(folder_.string(), ": cannot be the output folder: ",
                            error ? error.message() : "a file of that name exists"));
    }
    std::vector<TensorDeclaration> declarations;
    for (const PlannedTensor& tensor : plan.tensors) {
      scale_index_.push_back(declarations.size());
      if (!tensor.scale_name.empty()) {
        declarations.push_back(declare_scale(tensor));
      }
    }
    const std::vector<float> unknown_scales(declarations.size());
    std::transform(plan.tensors.begin(), plan.tensors.end(), std::back_inserter(declarations),
                   declare);
    writer_ =
        std::make_unique<SafetensorsWriter>(folder_ / "model.safetensors", std::move(declarations),
                                            std::map<std::string, std::string>{{"format", "pt"}});
    writer_->append(std::as_bytes(std::span(unknown_scales)));
  }

  void append(std::span<const std::byte> bytes) override { writer_->append(bytes); }
  void put_scale(std::size_t tensor_index, float scale) override {
    writer_->overwrite(scale_index_[tensor_index], std::as_bytes(std::span(&scale, 1)));
  }
  void commit() override {
    write_companions();
    writer_->commit();
  }
  std::uint64_t size() const override { return writer_->offset(); }

 private:
  void write_companions() const {
    const ModelConfig& config = source_.config();
    const bool packed = matrix_encoding(plan_) == Encoding::u8;
    write_file(folder_ / "config.json",
               hugging_face_config(config, {packed, is_latent(), torch_dtype()},
                                   source_.checkpoint().config_json()));
    if (!config.pooling.empty()) {
      std::filesystem::create_directories(folder_ / "1_Pooling");
      write_file(folder_ / "1_Pooling" / "config.json", hugging_face_pooling(config));
      write_file(folder_ / "modules.json", hugging_face_modules());
    }
    if (source_.checkpoint().format() == Checkpoint::Format::gguf) {
      write_new_companions();
    } else {
      copy_companions();
    }
  }

  void write_new_companions() const {
    const ModelConfig& config = source_.config();
    if (config.bos_token_id || !config.eos_token_ids.empty()) {
      write_file(folder_ / "generation_config.json", hugging_face_generation_config(config));
    }
    if (tokenizer_) {
      const HuggingFaceTexts texts = write_hugging_face(*tokenizer_);
      write_file(folder_ / "tokenizer.json", texts.tokenizer_json);
      write_file(folder_ / "tokenizer_config.json", texts.tokenizer_config_json);
    }
  }

  void copy_companions() const {
    for (const char* const name : kCompanionFiles) {
      if (has_companion(source_.checkpoint(), name)) {
        write_file(folder_ / name, read_companion(source_.checkpoint(), name));
      }
    }
  }

  /// Whether the float matrices beside the new config.json are to be ternarized when the model
  /// runs.
  bool is_latent() const {
    return source_.config().quantization_config &&
           std::none_of(plan_.tensors.begin(), plan_.tensors.end(),
                        [](const PlannedTensor& tensor) { return tensor.ternary; });
  }

  /// Of the embedding: what the model computes with between ternary layers.
  std::string torch_dtype() const {
    const Encoding embedding =
        std::find_if(plan_.tensors.begin(), plan_.tensors.end(), [](const PlannedTensor& tensor) {
          return tensor.source->name.role == WeightRole::embedding;
        })->encoding;
    return embedding == Encoding::bf16  ? "bfloat16"
           : embedding == Encoding::f16 ? "float16"
                                        : "float32";
  }

  const ModelSource& source_;
  const ConversionPlan& plan_;
  const std::optional<TokenizerData>& tokenizer_;
  std::filesystem::path folder_;
  std::vector<std::size_t> scale_index_;  ///< per planned tensor: its scale's place in the file
  std::unique_ptr<SafetensorsWriter> writer_;
};

}  // namespace

std::unique_ptr<CheckpointSink> open_sink(const ModelSource& source, const ConversionPlan& plan,
                                          const std::optional<TokenizerData>& tokenizer,
                                          const std::filesystem::path& output) {
  if (plan.format == Checkpoint::Format::gguf) {
    return std::make_unique<GgufSink>(source, plan, tokenizer, output);
  }
  return std::make_unique<SafetensorsSink>(source, plan, tokenizer, output);
}

}  // namespace bitnet
