// SPDX-License-Identifier: MIT
// Missing and wrong metadata that is known to break loaders or to spoil what they print.
#pragma once

#include <bitnet/verify_checkpoint.h>

#include <vector>

#include "model/model_source.h"

namespace bitnet {

/// Tokenizer, special tokens, chat template and the keys that go with quantized tensors.
void check_gguf_metadata(const Checkpoint& checkpoint, std::vector<Finding>& findings);

/// What decides how a Hugging Face folder is read: linear_class, end tokens, tokenizer files.
void check_hugging_face_metadata(const ModelSource& source, std::vector<Finding>& findings);

}  // namespace bitnet
