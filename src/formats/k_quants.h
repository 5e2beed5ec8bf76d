// SPDX-License-Identifier: MIT
// The K-quants of GGUF: super-blocks of 256 numbers, whose sub-blocks have integer scales.
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>

namespace bitnet {

/// One super-block <-> 256 floats.
struct KQuantCodec {
  static constexpr std::size_t kElements = 256;

  void (*decode)(const std::byte* block, float* values);
  /// The search of ggml's reference quantizer, float operation by float operation. The values must
  /// be finite. False, and `block` is unspecified, when float16 cannot hold the block's scales.
  /// nullptr for types that are read, never written.
  bool (*encode)(const float* values, std::byte* block);
};

/// nullptr unless the encoding is q4_k, q5_k or q6_k.
const KQuantCodec* find_k_quant(Encoding encoding);

}  // namespace bitnet
