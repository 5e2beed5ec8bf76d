// SPDX-License-Identifier: MIT
// CheckpointSink: where a conversion's bytes go, a GGUF file or a Hugging Face folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "model/conversion_plan.h"
#include "model/model_source.h"
#include "tokenizer/tokenizer_data.h"

namespace bitnet {

class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  /// The next bytes of the planned tensors, in the plan's order.
  virtual void append(std::span<const std::byte> bytes) = 0;
  /// The tensor PlannedTensor::scale_name; call when the tensor's own bytes are appended.
  virtual void put_scale(std::size_t tensor_index, float scale) = 0;
  /// Makes the output appear.
  virtual void commit() = 0;
  /// Bytes of weights and their header.
  virtual std::uint64_t size() const = 0;
};

/// Throws what the writers throw; for safetensors creates the folder `output`. The arguments must
/// outlive the sink.
std::unique_ptr<CheckpointSink> open_sink(const ModelSource& source, const ConversionPlan& plan,
                                          const std::optional<TokenizerData>& tokenizer,
                                          const std::filesystem::path& output);

}  // namespace bitnet
