// SPDX-License-Identifier: MIT
// Numbers of the GGUF format: tensor types, value types, limits.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "formats/encoding.h"

namespace bitnet::gguf {

inline constexpr std::string_view kMagic = "GGUF";
inline constexpr std::uint32_t kVersion = 3;
inline constexpr std::uint32_t kOldestVersion = 2;  // the same layout
inline constexpr std::uint64_t kDefaultAlignment = 32;
inline constexpr std::string_view kAlignmentKey = "general.alignment";
inline constexpr std::size_t kMaxNameBytes = 63;
inline constexpr std::size_t kMaxRank = 4;
/// Of one string or array, in bytes or elements.
inline constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 30;

enum class ValueType : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

struct TensorType {
  std::uint32_t id;
  std::string_view name;
  Encoding encoding;
  BlockLayout layout;  ///< bytes == 0: the size of such a tensor is not known
};

constexpr TensorType known_type(std::uint32_t id, std::string_view name, Encoding encoding) {
  return {id, name, encoding, block_layout(encoding)};
}
constexpr TensorType other_type(std::uint32_t id, std::string_view name, BlockLayout layout) {
  return {id, name, Encoding::other, layout};
}
constexpr TensorType unsized_type(std::uint32_t id, std::string_view name) {
  return {id, name, Encoding::other, {1, 0}};
}

/// llama.cpp's numbers; 36-39 as in bitnet.cpp, 134 and up as in ik_llama.cpp.
inline constexpr std::array kTensorTypes = {
    known_type(0, "F32", Encoding::f32),
    known_type(1, "F16", Encoding::f16),
    known_type(2, "Q4_0", Encoding::q4_0),
    other_type(3, "Q4_1", {32, 20}),
    unsized_type(4, "Q4_2, removed"),
    unsized_type(5, "Q4_3, removed"),
    other_type(6, "Q5_0", {32, 22}),
    other_type(7, "Q5_1", {32, 24}),
    known_type(8, "Q8_0", Encoding::q8_0),
    other_type(9, "Q8_1", {32, 36}),
    other_type(10, "Q2_K", {256, 84}),
    other_type(11, "Q3_K", {256, 110}),
    known_type(12, "Q4_K", Encoding::q4_k),
    known_type(13, "Q5_K", Encoding::q5_k),
    known_type(14, "Q6_K", Encoding::q6_k),
    other_type(15, "Q8_K", {256, 292}),
    other_type(16, "IQ2_XXS", {256, 66}),
    other_type(17, "IQ2_XS", {256, 74}),
    other_type(18, "IQ3_XXS", {256, 98}),
    other_type(19, "IQ1_S", {256, 50}),
    other_type(20, "IQ4_NL", {32, 18}),
    other_type(21, "IQ3_S", {256, 110}),
    other_type(22, "IQ2_S", {256, 82}),
    other_type(23, "IQ4_XS", {256, 136}),
    known_type(24, "I8", Encoding::i8),
    known_type(25, "I16", Encoding::i16),
    known_type(26, "I32", Encoding::i32),
    known_type(27, "I64", Encoding::i64),
    known_type(28, "F64", Encoding::f64),
    other_type(29, "IQ1_M", {256, 56}),
    known_type(30, "BF16", Encoding::bf16),
    known_type(34, "TQ1_0", Encoding::tq1_0),
    known_type(35, "TQ2_0", Encoding::tq2_0),
    known_type(36, "I2_S", Encoding::i2_s),
    unsized_type(37, "I8_S"),
    unsized_type(38, "TL1"),
    unsized_type(39, "TL2 in bitnet.cpp, MXFP4 in llama.cpp"),
    unsized_type(40, "NVFP4"),
    other_type(41, "Q1_0", {128, 18}),
    known_type(42, "Q2_0", Encoding::q2_0),
    known_type(134, "IQ1_BN", Encoding::iq1_bn),
    known_type(135, "IQ2_BN", Encoding::iq2_bn),
    known_type(335, "IQ2_BN_R4", Encoding::iq2_bn_r4),
};

/// nullptr for a number that nobody uses.
inline const TensorType* find_type(std::uint32_t id) {
  const auto* const found = std::find_if(kTensorTypes.begin(), kTensorTypes.end(),
                                         [&](const TensorType& type) { return type.id == id; });
  return found == kTensorTypes.end() ? nullptr : found;
}
inline const TensorType* find_type(Encoding encoding) {
  const auto* const found =
      std::find_if(kTensorTypes.begin(), kTensorTypes.end(), [&](const TensorType& type) {
        return encoding != Encoding::other && type.encoding == encoding;
      });
  return found == kTensorTypes.end() ? nullptr : found;
}

/// x rounded up to a multiple of alignment, a power of two. x must leave room for it.
constexpr std::uint64_t pad(std::uint64_t x, std::uint64_t alignment) {
  return (x + alignment - 1) & ~(alignment - 1);
}

}  // namespace bitnet::gguf
