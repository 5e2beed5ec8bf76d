// SPDX-License-Identifier: MIT
// What a checkpoint of either format holds, tensor by tensor.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bitnet {

/// A matrix of {-scale, 0, scale}.
struct TernaryInspection {
  /// What multiplies the trits; nullopt when blocks of the matrix differ.
  std::optional<float> scale;
  double sparsity = 0;  ///< fraction of zeros
  /// 10 log10(Σw² / Σ(w - ŵ)²) against the source's weights, infinity when exact; nullopt without a
  /// source that has them.
  std::optional<double> sqnr_db;
};

struct TensorInspection {
  std::string name;
  std::string type_name;  ///< as the file says: "BF16", "TQ2_0"
  Shape shape;            ///< as stored; a packed Hugging Face matrix shows its bytes
  std::uint64_t bytes = 0;
  std::optional<TernaryInspection> ternary;  ///< nullopt for tensors of other numbers
};

/// Reads ternary matrices whole (those of ternary types, and any matrix whose nonzero magnitudes
/// are all equal), other tensors hardly at all. `source` is the float checkpoint that `input` was
/// made from, or nullptr; Hugging Face and GGUF names find each other, and where GGUF keeps the
/// rows of q and k in another order they are compared with the right ones. Throws TernaryError for
/// codes that mean nothing, ShapeMismatch when a matrix and its source differ in shape.
std::vector<TensorInspection> inspect_checkpoint(const Checkpoint& input,
                                                 const Checkpoint* source = nullptr,
                                                 const Runtime& runtime = Runtime::serial());

}  // namespace bitnet
