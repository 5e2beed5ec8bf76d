// SPDX-License-Identifier: MIT
// One pass over all numbers of a tensor, counting what cannot be right.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstdint>
#include <optional>
#include <string>

#include "model/model_source.h"

namespace bitnet {

struct TritCounts {
  std::uint64_t minus = 0;
  std::uint64_t zero = 0;
  std::uint64_t plus = 0;
  std::string bad_code;  ///< message of the first code that is no trit; empty when there is none

  std::uint64_t total() const { return minus + zero + plus; }
  double sparsity() const;
};

/// A matrix of a ternary type, or packed by Hugging Face. A row with a bad code counts nothing.
TritCounts count_trits(const Checkpoint& checkpoint, const SourceWeight& weight,
                       const Runtime& runtime);

struct FloatScan {
  std::uint64_t nan = 0;
  std::uint64_t infinite = 0;
  float absmax = 0;  ///< over finite numbers
};

/// Any tensor that decode_to_float reads; nullopt for others.
std::optional<FloatScan> scan_floats(const Checkpoint& checkpoint, const StoredTensor& tensor,
                                     const Runtime& runtime);

}  // namespace bitnet
