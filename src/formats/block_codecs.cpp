// SPDX-License-Identifier: MIT
// Inner loops run over the bytes of a block, which compilers turn into vectors; for that they read
// local copies, which no output can overlap.
#include "formats/block_codecs.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace bitnet {
namespace {

/// T is std::uint8_t for bytes, std::int8_t for trits; std::byte is no number.
template <class T, std::size_t size>
std::array<T, size> load(const void* from) {
  std::array<T, size> values;
  std::memcpy(values.data(), from, size);
  return values;
}

std::int8_t from_code(unsigned code) {
  return static_cast<std::int8_t>(static_cast<int>(code) - 1);
}
unsigned to_code(std::int8_t trit) { return static_cast<unsigned>(trit + 1); }

enum class FieldOrder { low_first, high_first };

constexpr unsigned field_shift(FieldOrder order, std::size_t field) {
  return static_cast<unsigned>(order == FieldOrder::low_first ? 2 * field : 6 - 2 * field);
}

// Groups of `size` bytes: byte m holds the elements m, m + size, m + 2 size, m + 3 size.
template <FieldOrder order, std::size_t size, std::size_t groups = 1>
void decode_2bit(const std::byte* block, std::size_t /*lane*/, std::int8_t* integers) {
  for (std::size_t group = 0; group < groups; ++group) {
    const auto bytes = load<std::uint8_t, size>(block + group * size);
    for (std::size_t field = 0; field < 4; ++field) {
      for (std::size_t m = 0; m < size; ++m) {
        *integers++ = from_code(bytes[m] >> field_shift(order, field) & 3U);
      }
    }
  }
}

template <FieldOrder order, std::size_t size, std::size_t groups = 1>
void encode_2bit(const std::int8_t* trits, std::byte* block) {
  for (std::size_t group = 0; group < groups; ++group) {
    const auto t = load<std::int8_t, 4 * size>(trits + group * 4 * size);
    for (std::size_t m = 0; m < size; ++m) {
      block[group * size + m] = static_cast<std::byte>(
          to_code(t[m]) << field_shift(order, 0) | to_code(t[m + size]) << field_shift(order, 1) |
          to_code(t[m + 2 * size]) << field_shift(order, 2) |
          to_code(t[m + 3 * size]) << field_shift(order, 3));
    }
  }
}

// i2_s_rows4: byte k holds column k of rows 0, 1, 2, 3, highest bits first.
void decode_i2_s_rows4(const std::byte* block, std::size_t lane, std::int8_t* integers) {
  const auto bytes = load<std::uint8_t, 64>(block);
  const unsigned shift = field_shift(FieldOrder::high_first, lane);
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    integers[k] = from_code(bytes[k] >> shift & 3U);
  }
}

// iq2_bn_r4: byte 16 q + 4 r + i holds the elements 16 q + i + {0, 4, 8, 12} of row r, lowest bits
// first.
void decode_iq2_bn_r4(const std::byte* block, std::size_t lane, std::int8_t* integers) {
  const auto bytes = load<std::uint8_t, 64>(block);
  for (std::size_t element = 0; element < 64; ++element) {
    const std::size_t q = element / 16;
    const std::size_t n = element % 16 / 4;
    const unsigned byte = bytes[16 * q + 4 * lane + element % 4];
    integers[element] = from_code(byte >> field_shift(FieldOrder::low_first, n) & 3U);
  }
}

// Numbers of base 3: a byte keeps the fraction q / 243 of its five digits as ceil(256 q / 243).
// Multiplying it by 3^n modulo 256 shifts digit n, counted from the most significant, to the front,
// where * 3 / 256 reads it.
constexpr std::size_t kDigitsPerByte = 5;
constexpr std::array<std::uint8_t, kDigitsPerByte> kPowersOfThree = {1, 3, 9, 27, 81};

std::int8_t base_three_digit(std::uint8_t byte, std::size_t n) {
  const auto shifted = static_cast<std::uint8_t>(byte * kPowersOfThree[n]);
  return from_code(static_cast<unsigned>(shifted * 3) >> 8);
}
/// ceil(256 q / 243) in 16 bits: 256 q = 243 q + 13 q.
std::byte base_three_byte(std::uint16_t q) {
  return static_cast<std::byte>(q + static_cast<std::uint16_t>(13 * q + 242) / 243);
}

// tq1_0: byte m of a group holds the elements m, m + size, m + 2 size, ..., the first one most
// significant.
template <std::size_t size, std::size_t digits>
void decode_tq1_0_group(const std::byte* group, std::int8_t* integers) {
  const auto bytes = load<std::uint8_t, size>(group);
  for (std::size_t n = 0; n < digits; ++n) {
    for (std::size_t m = 0; m < size; ++m) {
      integers[n * size + m] = base_three_digit(bytes[m], n);
    }
  }
}
void decode_tq1_0(const std::byte* block, std::size_t /*lane*/, std::int8_t* integers) {
  decode_tq1_0_group<32, 5>(block, integers);
  decode_tq1_0_group<16, 5>(block + 32, integers + 160);
  decode_tq1_0_group<4, 4>(block + 48, integers + 240);
}

template <std::size_t size, std::size_t digits>
void encode_tq1_0_group(const std::int8_t* trits, std::byte* group) {
  std::array<std::uint16_t, size> q{};
  for (std::size_t n = 0; n < kDigitsPerByte; ++n) {
    for (std::size_t m = 0; m < size; ++m) {
      const unsigned digit = n < digits ? to_code(trits[n * size + m]) : 0;
      q[m] = static_cast<std::uint16_t>(q[m] * 3 + digit);
    }
  }
  for (std::size_t m = 0; m < size; ++m) {
    group[m] = base_three_byte(q[m]);
  }
}
void encode_tq1_0(const std::int8_t* trits, std::byte* block) {
  encode_tq1_0_group<32, 5>(trits, block);
  encode_tq1_0_group<16, 5>(trits + 160, block + 32);
  encode_tq1_0_group<4, 4>(trits + 240, block + 48);
}

// iq1_bn: bytes 3 g, 3 g + 1, 3 g + 2 hold five consecutive elements each of the 16 of group g, the
// first one least significant; byte 12 holds the last one of group g as digit 3^g.
void decode_iq1_bn(const std::byte* block, std::size_t /*lane*/, std::int8_t* integers) {
  const auto bytes = load<std::uint8_t, 13>(block);
  for (std::size_t group = 0; group < 4; ++group) {
    for (std::size_t i = 0; i < 15; ++i) {
      *integers++ = base_three_digit(bytes[3 * group + i / 5], 4 - i % 5);
    }
    *integers++ = base_three_digit(bytes[12], 4 - group);
  }
}

// q2_0: scale, then four consecutive elements per byte, lowest bits first.
constexpr std::size_t kQ2CodesOffset = 2;

void decode_q2_0(const std::byte* block, std::size_t /*lane*/, std::int8_t* integers) {
  const auto bytes = load<std::uint8_t, 16>(block + kQ2CodesOffset);
  for (std::size_t j = 0; j < bytes.size(); ++j) {
    for (std::size_t field = 0; field < 4; ++field) {
      integers[4 * j + field] = from_code(bytes[j] >> (2 * field) & 3U);
    }
  }
}
void encode_q2_0(const std::int8_t* trits, std::byte* block) {
  const auto t = load<std::int8_t, 64>(trits);
  for (std::size_t j = 0; j < 16; ++j) {
    block[kQ2CodesOffset + j] =
        static_cast<std::byte>(to_code(t[4 * j]) | to_code(t[4 * j + 1]) << 2 |
                               to_code(t[4 * j + 2]) << 4 | to_code(t[4 * j + 3]) << 6);
  }
}

// q4_0: scale, then byte j holds element j in its low and j + 16 in its high nibble, plus 8.
constexpr std::size_t kQ4CodesOffset = 2;

void decode_q4_0(const std::byte* block, std::size_t /*lane*/, std::int8_t* integers) {
  const auto bytes = load<std::uint8_t, 16>(block + kQ4CodesOffset);
  for (std::size_t j = 0; j < bytes.size(); ++j) {
    integers[j] = static_cast<std::int8_t>((bytes[j] & 15) - 8);
    integers[j + 16] = static_cast<std::int8_t>((bytes[j] >> 4) - 8);
  }
}
void encode_q4_0(const std::int8_t* trits, std::byte* block) {
  for (std::size_t j = 0; j < 16; ++j) {
    block[kQ4CodesOffset + j] = static_cast<std::byte>((trits[j] + 8) | (trits[j + 16] + 8) << 4);
  }
}

void decode_q8_0(const std::byte* block, std::size_t /*lane*/, std::int8_t* integers) {
  std::memcpy(integers, block + 2, 32);
}

constexpr auto kLow = FieldOrder::low_first;
constexpr auto kHigh = FieldOrder::high_first;
constexpr BlockCodec kI2s{decode_2bit<kHigh, 32>, encode_2bit<kHigh, 32>, std::nullopt, 1};
constexpr BlockCodec kI2s64{decode_2bit<kHigh, 16>, nullptr, std::nullopt, 1};
constexpr BlockCodec kI2sRows4{decode_i2_s_rows4, nullptr, std::nullopt, 1, 4};
constexpr BlockCodec kTq1_0{decode_tq1_0, encode_tq1_0, 52, 1};
constexpr BlockCodec kTq2_0{decode_2bit<kLow, 32, 2>, encode_2bit<kLow, 32, 2>, 64, 1};
constexpr BlockCodec kIq1Bn{decode_iq1_bn, nullptr, std::nullopt, 1};
constexpr BlockCodec kIq2Bn{decode_2bit<kLow, 16>, nullptr, std::nullopt, 1};
constexpr BlockCodec kIq2BnR4{decode_iq2_bn_r4, nullptr, std::nullopt, 1, 4};
constexpr BlockCodec kQ2_0{decode_q2_0, encode_q2_0, 0, 1};
constexpr BlockCodec kQ4_0{decode_q4_0, encode_q4_0, 0, 8};
constexpr BlockCodec kQ8_0{decode_q8_0, nullptr, 0, 0};

}  // namespace

const BlockCodec* find_block_codec(Encoding encoding) {
  switch (encoding) {
    case Encoding::i2_s:
      return &kI2s;
    case Encoding::i2_s_64:
      return &kI2s64;
    case Encoding::i2_s_rows4:
      return &kI2sRows4;
    case Encoding::tq1_0:
      return &kTq1_0;
    case Encoding::tq2_0:
      return &kTq2_0;
    case Encoding::iq1_bn:
      return &kIq1Bn;
    case Encoding::iq2_bn:
      return &kIq2Bn;
    case Encoding::iq2_bn_r4:
      return &kIq2BnR4;
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
