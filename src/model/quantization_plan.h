// SPDX-License-Identifier: MIT
// Which tensors of a Hugging Face checkpoint become which tensors of a GGUF file, checked against
// config.json before anything is written.
#pragma once

#include <bitnet/checkpoint.h>

#include <optional>
#include <vector>

#include "formats/encoding.h"
#include "formats/hf_packed.h"
#include "model/model_config.h"
#include "model/weight_names.h"

namespace bitnet {

struct PlannedTensor {
  const StoredTensor* source;
  WeightName name;
  Encoding encoding;                           ///< in the output
  const StoredTensor* weight_scale = nullptr;  ///< of a projection that is packed already
};

bool is_packed(const PlannedTensor& tensor);
/// i2_s has a place for the matrix's float32 scale. Beside the others stands a tensor of its own,
/// because their float16 block scales would round it.
bool has_scale_tensor(const PlannedTensor& tensor);
Shape output_shape(const PlannedTensor& tensor);

/// The tensors of the output in file order. Throws UnsupportedError, FormatError or ShapeMismatch
/// naming the tensor that is unknown, missing, doubled, of the wrong shape or type, or that
/// `ternary_encoding` (nullopt: the smallest that fits) cannot hold.
std::vector<PlannedTensor> plan_tensors(const Checkpoint& input, const ModelConfig& config,
                                        const ModelFamily& family,
                                        const std::optional<Encoding>& ternary_encoding);

/// What the writer declares: a plan's tensors, each followed by its scale tensor if it has one.
std::vector<TensorDeclaration> declarations(const std::vector<PlannedTensor>& plan);

/// What X.weight_scale of packed projections means, from quantization_config.linear_class. Its
/// magnitude would be no safe test.
HfScaleMeaning scale_meaning(const ModelConfig& config);

}  // namespace bitnet
