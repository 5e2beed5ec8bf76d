// SPDX-License-Identifier: MIT
// ModelConfig as GGUF key-values.
#pragma once

#include <bitnet/checkpoint.h>

#include <vector>

#include "formats/gguf_writer.h"
#include "model/model_config.h"
#include "model/weight_names.h"

namespace bitnet {

/// In the order of the official BitNet-b1.58-2B-4T file. `ternary` is the encoding of the ternary
/// matrices (of the first one, when they differ): it gives general.file_type, which is only a
/// label.
std::vector<GgufKeyValue> gguf_metadata(const ModelConfig& config, const ModelFamily& family,
                                        Encoding ternary);

}  // namespace bitnet
