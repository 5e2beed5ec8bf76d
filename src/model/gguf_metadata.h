// SPDX-License-Identifier: MIT
// ModelConfig as GGUF key-values.
#pragma once

#include <bitnet/checkpoint.h>

#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "model/model_config.h"

namespace bitnet {

/// In the order of the official BitNet-b1.58-2B-4T file, without the tokenizer. `matrices` is the
/// encoding of the projections (of the first one, when they differ): it gives general.file_type,
/// which is only a label. Throws UnsupportedError for a rotary embedding that no key describes.
std::vector<GgufKeyValue> gguf_metadata(const ModelConfig& config, const std::string& architecture,
                                        Encoding matrices);

}  // namespace bitnet
