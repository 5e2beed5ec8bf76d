// SPDX-License-Identifier: MIT
// One block of each quantized GGUF type <-> small integers; value = scale * integer.
#pragma once

#include <bitnet/checkpoint.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bitnet {

/// Integers of one block, block_layout(encoding).elements of them.
struct BlockCodec {
  static constexpr std::size_t kMaxElements = 256;

  void (*decode)(const std::byte* block, std::int8_t* integers);
  /// Trits only; leaves the scale's bytes alone. nullptr for types that hold more than trits.
  void (*encode)(const std::int8_t* trits, std::byte* block);
  /// Where the block keeps its float16 scale; nullopt: one float32 for the whole tensor.
  std::optional<std::size_t> scale_offset;
  /// Stored code minus integer, for messages.
  int code_bias;
};

/// nullptr unless the encoding is q4_0, q8_0, q2_0, tq1_0, tq2_0 or i2_s.
const BlockCodec* find_block_codec(Encoding encoding);

}  // namespace bitnet
