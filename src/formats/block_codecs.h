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

  /// The integers of row `lane` < interleaved_rows; `block` is that of the whole group of rows.
  void (*decode)(const std::byte* block, std::size_t lane, std::int8_t* integers);
  /// Trits only; leaves the scale's bytes alone. nullptr for types that are read, never written.
  void (*encode)(const std::int8_t* trits, std::byte* block);
  /// Where the block keeps its float16 scale; nullopt: the row's header or the tensor's tail does.
  std::optional<std::size_t> scale_offset;
  /// Stored code minus integer, for messages.
  int code_bias;
  std::size_t interleaved_rows = 1;
};

/// nullptr unless the encoding is q4_0, q8_0, q2_0, or one of tq*, i2_s*, iq*_bn*.
const BlockCodec* find_block_codec(Encoding encoding);

}  // namespace bitnet
