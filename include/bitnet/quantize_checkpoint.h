// SPDX-License-Identifier: MIT
// A float (or already ternary) Hugging Face checkpoint in, a ternary GGUF file out.
#pragma once

#include <bitnet/checkpoint.h>
#include <bitnet/runtime.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bitnet {

struct QuantizeCheckpointOptions {
  /// Storage of ternary matrices. nullopt: i2_s where K divides by 128, else the smallest exact one
  /// (q2_0: 64, q4_0: 32, f16). tq1_0 and tq2_0 need K divisible by 256. A type that cannot hold a
  /// matrix is an UnsupportedError naming it. i2_s holds the exact float32 scale; the others hold
  /// bare trits, and a tensor `<name>.scale` beside them the scale.
  std::optional<Encoding> ternary_encoding;
  /// Called after each block of rows: bytes read so far, and in all.
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress = nullptr;
};

/// What became of one tensor.
struct TensorReport {
  std::string name;         ///< in the output
  std::string source_name;  ///< in the input
  Encoding encoding;        ///< in the output
  Shape shape;
  bool ternary = false;
  bool was_ternary = false;  ///< the input already held {-s, 0, s}: codes and scale kept
  float scale = 0;           ///< ternary only
  double sparsity = 0;       ///< ternary only
  double sqnr_db = 0;        ///< 10 log10(Σw² / Σ(w - ŵ)²); ternary only, infinity when exact
};

struct QuantizeCheckpointReport {
  std::vector<TensorReport> tensors;
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;
};

/// Ternarizes the projection matrices (q k v o gate up down) by BitNetConfig::b158(), one scale per
/// matrix; keeps embeddings, head and norms. Streams: peak memory is some row blocks, whatever the
/// checkpoint's size. The output appears complete or not at all. The same input gives the same
/// bytes for any thread count and ISA.
QuantizeCheckpointReport quantize_checkpoint(const Checkpoint& input,
                                             const std::filesystem::path& output,
                                             const QuantizeCheckpointOptions& options = {},
                                             const Runtime& runtime = Runtime::serial());

}  // namespace bitnet
