// SPDX-License-Identifier: MIT
#include "formats/float_encodings.h"

#include <bitnet/error.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/half.h"
#include "base/message.h"
#include "formats/encoding.h"
#include "formats/k_quants.h"

namespace bitnet {
namespace {

constexpr std::uint32_t kInfinity = 0x7f800000U;
constexpr std::uint32_t kBehindNan = 0x80000000U;
constexpr std::uint32_t kRoundsToFloat16Infinity = 0x477ff000U;   // 65520
constexpr std::uint32_t kRoundsToBfloat16Infinity = 0x7f7f8000U;  // (2 - 2^-8) * 2^127

/// The first number whose magnitude, as bits, lies in [low, high). Magnitudes of floats are ordered
/// as their bits are; NaN comes behind infinity.
std::optional<std::size_t> find_magnitude(std::span<const float> values, std::uint32_t low,
                                          std::uint32_t high) {
  const auto is_found = [=](float value) {
    return (std::bit_cast<std::uint32_t>(value) & 0x7fffffffU) - low < high - low;
  };
  bool any = false;
  for (const float value : values) {
    any |= is_found(value);
  }
  if (!any) {
    return std::nullopt;
  }
  return std::find_if(values.begin(), values.end(), is_found) - values.begin();
}

[[noreturn]] void refuse(Encoding encoding, std::size_t index, std::size_t columns, float value,
                         const char* expected) {
  throw QuantizationError(message(to_string(encoding), ", row ", index / columns, ", column ",
                                  index % columns, ": expected ", expected, ", found ", value));
}

template <std::uint16_t (*convert)(float)>
void encode_halves(Encoding encoding, std::span<const float> values, std::size_t columns,
                   std::uint32_t too_large, std::byte* out) {
  if (const auto index = find_magnitude(values, too_large, kInfinity)) {
    refuse(encoding, *index, columns, values[*index], "a number that does not round to infinity");
  }
  for (const float value : values) {
    const std::uint16_t half = convert(value);
    std::memcpy(out, &half, sizeof half);
    out += sizeof half;
  }
}

/// Half away from zero, of a number below 2^31: conversion truncates, and what it cuts off is
/// exact.
int round_half_away(float value) {
  const int whole = static_cast<int>(value);
  const float rest = value - static_cast<float>(whole);
  return whole + static_cast<int>(rest >= 0.5F) - static_cast<int>(rest <= -0.5F);
}

/// 0 where 1 / scale overflows, too: such a scale is 0 as float16.
float inverse_scale(float scale) {
  const float inverse = 1.0F / scale;
  return std::isfinite(inverse) ? inverse : 0.0F;
}

bool store_scale(float scale, std::byte* to) {
  const std::uint16_t half = float_to_half(scale);
  std::memcpy(to, &half, sizeof half);
  return std::isfinite(half_to_float(half));
}

bool encode_q8_0(const float* values, std::byte* block) {
  float largest = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    largest = std::max(largest, std::abs(values[i]));
  }
  const float scale = largest / 127;
  const float inverse = inverse_scale(scale);
  for (std::size_t i = 0; i < 32; ++i) {
    block[2 + i] = static_cast<std::byte>(round_half_away(values[i] * inverse));
  }
  return store_scale(scale, block);
}

/// The first number of the largest magnitude becomes code 0, its scale may be negative.
bool encode_q4_0(const float* values, std::byte* block) {
  float extreme = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    extreme = std::abs(values[i]) > std::abs(extreme) ? values[i] : extreme;
  }
  const float scale = extreme / -8;
  const float inverse = inverse_scale(scale);
  const auto code = [&](std::size_t i) {
    return std::min(15, static_cast<int>(values[i] * inverse + 8.5F));
  };
  for (std::size_t i = 0; i < 16; ++i) {
    block[2 + i] = static_cast<std::byte>(code(i) | code(i + 16) << 4);
  }
  return store_scale(scale, block);
}

using EncodeBlock = bool (*)(const float* values, std::byte* block);

/// nullptr for the types that are no blocks, or none that floats are written as.
EncodeBlock find_block_encoder(Encoding encoding) {
  if (encoding == Encoding::q8_0) {
    return encode_q8_0;
  }
  if (encoding == Encoding::q4_0) {
    return encode_q4_0;
  }
  const KQuantCodec* k_quant = find_k_quant(encoding);
  return k_quant == nullptr ? nullptr : k_quant->encode;
}

void encode_blocks(Encoding encoding, std::span<const float> values, std::size_t columns,
                   std::byte* out) {
  if (const auto index = find_magnitude(values, kInfinity, kBehindNan)) {
    throw NonFiniteError(std::string(to_string(encoding)), *index / columns, *index % columns,
                         values[*index]);
  }
  const EncodeBlock encode = find_block_encoder(encoding);
  const BlockLayout layout = block_layout(encoding);
  for (std::size_t first = 0; first < values.size(); first += layout.elements) {
    if (!encode(values.data() + first, out)) {
      const auto block = values.subspan(first, layout.elements);
      const auto largest = std::max_element(
          block.begin(), block.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
      refuse(encoding, first + static_cast<std::size_t>(largest - block.begin()), columns, *largest,
             "numbers whose scale float16 can hold");
    }
    out += layout.bytes;
  }
}

}  // namespace

bool encodes_floats(Encoding encoding) {
  return encoding == Encoding::f32 || encoding == Encoding::f16 || encoding == Encoding::bf16 ||
         find_block_encoder(encoding) != nullptr;
}

std::size_t float_row_bytes(Encoding encoding, std::size_t columns) {
  const BlockLayout layout = block_layout(encoding);
  if (!encodes_floats(encoding) || columns % layout.elements != 0) {
    throw UnsupportedError(message(
        to_string(encoding),
        ": expected F32, F16, BF16, rows of a multiple of 32 as Q8_0, Q4_0, or of 256 as Q4_K, ",
        "Q6_K, found rows of ", columns));
  }
  return columns / layout.elements * layout.bytes;
}

void encode_float_rows(Encoding encoding, std::span<const float> values, std::size_t columns,
                       std::span<std::byte> out) {
  const std::size_t row_bytes = float_row_bytes(encoding, columns);
  if (columns == 0 || values.size() % columns != 0 ||
      out.size() != values.size() / columns * row_bytes) {
    throw ShapeMismatch(message(to_string(encoding), ": expected whole rows of ", columns,
                                " numbers and ", row_bytes, " bytes, found ", values.size(),
                                " numbers and ", out.size(), " bytes"));
  }
  switch (encoding) {
    case Encoding::f32:
      std::memcpy(out.data(), values.data(), values.size_bytes());
      break;
    case Encoding::f16:
      return encode_halves<float_to_half>(encoding, values, columns, kRoundsToFloat16Infinity,
                                          out.data());
    case Encoding::bf16:
      return encode_halves<float_to_bfloat16>(encoding, values, columns, kRoundsToBfloat16Infinity,
                                              out.data());
    default:
      return encode_blocks(encoding, values, columns, out.data());
  }
}

}  // namespace bitnet
