// SPDX-License-Identifier: MIT
// What a checkpoint of either format holds, tensor by tensor.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstddef>
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

/// What the values of a tensor are like, scales applied. Counts are exact; all but `count`, `nans`
/// and `infinities` are of the finite values, and 0 where there are none.
struct ValueStatistics {
  static constexpr std::size_t kMaxBins = 64;
  /// counts[i] values lie in [start + i width, start + (i + 1) width). The width is the smallest
  /// power of two (no finer than the largest value's last bit) whose multiples cut [min, max] into
  /// at most kMaxBins bins, so 0 is always an edge; neither the first nor the last bin is empty.
  struct Histogram {
    double start = 0;
    double width = 0;
    std::vector<std::uint64_t> counts;
  };

  std::uint64_t count = 0;  ///< the weights of a matrix, not the bytes of its codes
  std::uint64_t nans = 0;
  std::uint64_t infinities = 0;
  std::uint64_t negatives = 0;  ///< -1 of a ternary matrix
  std::uint64_t zeros = 0;
  std::uint64_t positives = 0;
  float min = 0;
  float max = 0;
  double mean = 0;
  double absmean = 0;
  double standard_deviation = 0;
  Histogram histogram;
};

struct TensorInspection {
  std::string name;
  std::string type_name;  ///< as the file says: "BF16", "TQ2_0"
  Shape shape;            ///< as stored; a packed Hugging Face matrix shows its bytes
  std::uint64_t bytes = 0;
  std::optional<TernaryInspection> ternary;  ///< nullopt for tensors of other numbers
  /// nullopt unless asked for, and for types that cannot be decoded.
  std::optional<ValueStatistics> statistics = std::nullopt;
};

struct InspectOptions {
  bool histograms = false;  ///< fill TensorInspection::statistics: reads every tensor whole
};

/// Reads ternary matrices whole (those of ternary types, and any matrix whose nonzero magnitudes
/// are all equal), other tensors hardly at all, unless `options` say otherwise. `source` is the
/// float checkpoint that `input` was made from, or nullptr; Hugging Face and GGUF names find each
/// other, and where GGUF keeps the rows of q and k in another order they are compared with the
/// right ones. Throws TernaryError for codes that mean nothing, QuantizationError for scales that
/// do, ShapeMismatch when a matrix and its source differ in shape.
std::vector<TensorInspection> inspect_checkpoint(const Checkpoint& input,
                                                 const Checkpoint* source = nullptr,
                                                 const Runtime& runtime = Runtime::serial(),
                                                 const InspectOptions& options = {});

}  // namespace bitnet
