// SPDX-License-Identifier: MIT
// What a conversion will write, decided and checked before anything is written.
#pragma once

#include <bitnet/convert_checkpoint.h>

#include <string>
#include <string_view>
#include <vector>

#include "formats/encoding.h"
#include "model/model_source.h"

namespace bitnet {

struct PlannedTensor {
  const SourceWeight* source;
  std::string name;        ///< in the output
  Encoding encoding;       ///< in the output; u8: packed as by Hugging Face
  bool ternary;            ///< trits and a scale, not floats
  std::string scale_name;  ///< of the tensor that holds the scale; empty when there is none
  bool permuted_rows;      ///< output row r is the Hugging Face row query_key_source_row(r)
  bool adds_one;           ///< WeightName::gguf_adds_one, in a GGUF output
};

struct ConversionPlan {
  std::string architecture;  ///< GGUF's name, or the Hugging Face class
  Checkpoint::Format format;
  ScalePlacement scales;
  std::vector<PlannedTensor> tensors;  ///< in the order of the output
};

/// Throws UnsupportedError naming the tensor that the wanted encoding cannot hold, InvalidArgument
/// for options that contradict each other.
ConversionPlan plan_conversion(const ModelSource& source, const ConversionOptions& options);

/// The weight's own shape: [rows, columns], or [columns] of a norm.
Shape weight_shape(const SourceWeight& weight);
/// What the writer declares for a planned tensor itself.
TensorDeclaration declare(const PlannedTensor& tensor);
/// What it declares for the tensor's scale. GGUF knows no scalar, Hugging Face writes [1] as well.
TensorDeclaration declare_scale(const PlannedTensor& tensor);

/// Whether the model computes with trits: a family that is trained so, quantization_config, or
/// matrices that are stored so.
bool is_ternary_model(const ModelSource& source);

/// A float type that stores each number by itself.
bool is_float_type(Encoding encoding);

}  // namespace bitnet
