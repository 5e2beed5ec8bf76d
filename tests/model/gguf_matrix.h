// SPDX-License-Identifier: MIT
// Ternary matrices of GGUF files and of packed Hugging Face tensors, unpacked element by element
// from the formats' definitions.
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>
#include <vector>

#include "reference/golden_file.h"

namespace bitnet {

struct UnpackedMatrix {
  std::vector<int> trits;  // [rows, columns]
  float scale;
};

/// i2_s, q2_0, q4_0 or f16; all but i2_s with unit blocks and a tensor `<name>.scale`.
UnpackedMatrix unpack_gguf(const Checkpoint& file, const std::string& name);

/// U8 [rows / 4, columns], in strips along the rows.
std::vector<int> unpack_hugging_face(const reference::GoldenTensor& weight);

}  // namespace bitnet
