// SPDX-License-Identifier: MIT
#include "formats/block_codecs.h"

#include <algorithm>

namespace bitnet {
namespace {

std::int8_t from_code(unsigned code) {
  return static_cast<std::int8_t>(static_cast<int>(code) - 1);
}
unsigned to_code(std::int8_t trit) { return static_cast<unsigned>(trit + 1); }

/// Where the 2-bit fields of a group of 32 bytes and 128 elements lie: byte m holds the elements
/// m, m + 32, m + 64, m + 96, lowest bits first (tq2_0) or highest bits first (i2_s).
enum class FieldOrder { low_first, high_first };

template <FieldOrder order>
constexpr unsigned field_shift(std::size_t field) {
  return static_cast<unsigned>(order == FieldOrder::low_first ? 2 * field : 6 - 2 * field);
}

template <FieldOrder order>
void decode_2bit_group(const std::byte* bytes, std::int8_t* integers) {
  for (std::size_t i = 0; i < 128; ++i) {
    const auto byte = std::to_integer<unsigned>(bytes[i % 32]);
    integers[i] = from_code(byte >> field_shift<order>(i / 32) & 3U);
  }
}

template <FieldOrder order>
void encode_2bit_group(const std::int8_t* trits, std::byte* bytes) {
  std::fill_n(bytes, 32, std::byte{0});
  for (std::size_t i = 0; i < 128; ++i) {
    bytes[i % 32] |= static_cast<std::byte>(to_code(trits[i]) << field_shift<order>(i / 32));
  }
}

void decode_tq2_0(const std::byte* block, std::int8_t* integers) {
  decode_2bit_group<FieldOrder::low_first>(block, integers);
  decode_2bit_group<FieldOrder::low_first>(block + 32, integers + 128);
}
void encode_tq2_0(const std::int8_t* trits, std::byte* block) {
  encode_2bit_group<FieldOrder::low_first>(trits, block);
  encode_2bit_group<FieldOrder::low_first>(trits + 128, block + 32);
}

// tq1_0: byte m of a group holds the `digits` elements m, m + bytes, m + 2 bytes, ... as a number
// q = Σ c_n 3^(4 - n), first element most significant, stored as ceil(256 q / 243). Multiplying the
// byte by 3^n modulo 256 shifts digit n to the front, where * 3 / 256 reads it.
struct BaseThreeGroup {
  std::size_t first_element, first_byte, bytes, digits;
};
constexpr BaseThreeGroup kBaseThreeGroups[] = {{0, 0, 32, 5}, {160, 32, 16, 5}, {240, 48, 4, 4}};
constexpr std::size_t kDigitsPerByte = 5;

void decode_tq1_0(const std::byte* block, std::int8_t* integers) {
  for (const BaseThreeGroup& group : kBaseThreeGroups) {
    for (std::size_t m = 0; m < group.bytes; ++m) {
      auto rest = std::to_integer<unsigned>(block[group.first_byte + m]);
      for (std::size_t n = 0; n < group.digits; ++n) {
        integers[group.first_element + n * group.bytes + m] = from_code(rest * 3 >> 8);
        rest = rest * 3 & 0xffU;
      }
    }
  }
}
void encode_tq1_0(const std::int8_t* trits, std::byte* block) {
  for (const BaseThreeGroup& group : kBaseThreeGroups) {
    for (std::size_t m = 0; m < group.bytes; ++m) {
      unsigned q = 0;
      for (std::size_t n = 0; n < kDigitsPerByte; ++n) {
        const std::size_t element = group.first_element + n * group.bytes + m;
        q = q * 3 + (n < group.digits ? to_code(trits[element]) : 0);
      }
      block[group.first_byte + m] = static_cast<std::byte>((q * 256 + 242) / 243);
    }
  }
}

// q2_0: scale, then four consecutive elements per byte, lowest bits first.
constexpr std::size_t kQ2CodesOffset = 2;

void decode_q2_0(const std::byte* block, std::int8_t* integers) {
  for (std::size_t i = 0; i < 64; ++i) {
    const auto byte = std::to_integer<unsigned>(block[kQ2CodesOffset + i / 4]);
    integers[i] = from_code(byte >> (2 * (i % 4)) & 3U);
  }
}
void encode_q2_0(const std::int8_t* trits, std::byte* block) {
  std::fill_n(block + kQ2CodesOffset, 16, std::byte{0});
  for (std::size_t i = 0; i < 64; ++i) {
    block[kQ2CodesOffset + i / 4] |= static_cast<std::byte>(to_code(trits[i]) << (2 * (i % 4)));
  }
}

// q4_0: scale, then byte j holds element j in its low and j + 16 in its high nibble, plus 8.
constexpr std::size_t kQ4CodesOffset = 2;

void decode_q4_0(const std::byte* block, std::int8_t* integers) {
  for (std::size_t j = 0; j < 16; ++j) {
    const auto byte = std::to_integer<int>(block[kQ4CodesOffset + j]);
    integers[j] = static_cast<std::int8_t>((byte & 15) - 8);
    integers[j + 16] = static_cast<std::int8_t>((byte >> 4) - 8);
  }
}
void encode_q4_0(const std::int8_t* trits, std::byte* block) {
  for (std::size_t j = 0; j < 16; ++j) {
    block[kQ4CodesOffset + j] = static_cast<std::byte>((trits[j] + 8) | (trits[j + 16] + 8) << 4);
  }
}

void decode_q8_0(const std::byte* block, std::int8_t* integers) {
  std::transform(block + 2, block + 34, integers,
                 [](std::byte byte) { return std::to_integer<std::int8_t>(byte); });
}

constexpr BlockCodec kI2s{decode_2bit_group<FieldOrder::high_first>,
                          encode_2bit_group<FieldOrder::high_first>, std::nullopt, 1};
constexpr BlockCodec kTq1_0{decode_tq1_0, encode_tq1_0, 52, 1};
constexpr BlockCodec kTq2_0{decode_tq2_0, encode_tq2_0, 64, 1};
constexpr BlockCodec kQ2_0{decode_q2_0, encode_q2_0, 0, 1};
constexpr BlockCodec kQ4_0{decode_q4_0, encode_q4_0, 0, 8};
constexpr BlockCodec kQ8_0{decode_q8_0, nullptr, 0, 0};

}  // namespace

const BlockCodec* find_block_codec(Encoding encoding) {
  switch (encoding) {
    case Encoding::i2_s:
      return &kI2s;
    case Encoding::tq1_0:
      return &kTq1_0;
    case Encoding::tq2_0:
      return &kTq2_0;
    case Encoding::q2_0:
      return &kQ2_0;
    case Encoding::q4_0:
      return &kQ4_0;
    case Encoding::q8_0:
      return &kQ8_0;
    default:
      return nullptr;
  }
}

}  // namespace bitnet
