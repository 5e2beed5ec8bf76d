// SPDX-License-Identifier: MIT
// Ternary encodings. Oracle: byte strings worked out by the formats' own programs, written here as
// literals (docs/formats/packed_ternary.md).
#include "formats/ternary_encodings.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "formats/byte_string.h"
#include "formats/hf_packed.h"
#include "formats/hostile_bytes.h"
#include "formats/stored_tensor.h"

namespace bitnet {
namespace {

using test::expect_error;
using test::hex;
using test::stored_tensor;

constexpr float kScale = 0.5F;

/// 256 trits, all zero but nine.
std::vector<std::int8_t> test_vector() {
  std::vector<std::int8_t> trits(256, 0);
  for (const int plus : {0, 33, 65, 96, 129}) {
    trits[static_cast<std::size_t>(plus)] = 1;
  }
  for (const int minus : {1, 64, 97, 255}) {
    trits[static_cast<std::size_t>(minus)] = -1;
  }
  return trits;
}

struct WorkedExample {
  Encoding encoding;
  std::string bytes;  ///< of the test vector with the scale 0.5
  Shape shape = {1, 256};
};

const std::vector<WorkedExample>& worked_examples() {
  static const std::vector<WorkedExample> examples = {
      {Encoding::tq2_0, "86 28 55*31 56 55*29 15 | 00 38"},
      {Encoding::tq1_0, "cf 4e 80*30 | 80*16 | 7f 7f 7f 7c | 00 38"},
      {Encoding::i2_s, "92 28 55*31 95 55*29 54 | 00 00 00 3f 00*28"},
      {Encoding::q2_0,
       "00 38 52 55*7 59 55*7 | 00 38 58 55*7 52 55*7 | 00 38 59 55*15 | 00 38 55*15 15"},
  };
  return examples;
}

/// Of types that are read, never written.
const std::vector<WorkedExample>& examples_to_read() {
  static const std::vector<WorkedExample> examples = {
      {Encoding::i2_s_64, "95 19 55*14 19 91 55*15 95 55*29 54 | 00 00 00 3f 00*28"},
      {Encoding::i2_s_rows4, "85 29 55*30 65 85 55*29 54 | 00 00 00 3f 00*28", {4, 64}},
      {Encoding::iq2_bn, "00 00 00 3f | 56 64 55*14 | 64 46 55*14 | 55 56 55*14 | 55*15 15"},
      {Encoding::iq1_bn, "00 38 | 7e 80*5 83 80*5 2b", {1, 64}},
  };
  return examples;
}

std::vector<std::byte> encode(Encoding encoding, std::span<const std::int8_t> trits,
                              std::size_t columns, float scale) {
  std::vector<std::byte> bytes(trits.size() / columns * encoded_row_bytes(encoding, columns));
  encode_ternary_rows(encoding, trits, columns, scale, bytes);
  if (encoding == Encoding::i2_s) {
    const auto tail = i2_s_tail(scale);
    bytes.insert(bytes.end(), tail.begin(), tail.end());
  }
  return bytes;
}

TEST(TernaryEncodings, WorkedExamplesEncodeByteForByte) {
  for (const auto& [encoding, bytes, shape] : worked_examples()) {
    EXPECT_EQ(encode(encoding, test_vector(), 256, kScale), hex(bytes)) << to_string(encoding);
  }
}

void expect_decodes(const WorkedExample& example) {
  const auto bytes = hex(example.bytes);
  const StoredTensor tensor = stored_tensor(example.encoding, example.shape, bytes);
  auto expected = test_vector();
  expected.resize(example.shape.numel());
  std::vector<std::int8_t> trits(expected.size());
  decode_trits(tensor, 0, example.shape.rows(), trits);
  EXPECT_EQ(trits, expected) << to_string(example.encoding);
  EXPECT_EQ(common_scale(tensor), kScale) << to_string(example.encoding);
  std::vector<float> floats(expected.size());
  decode_to_float(tensor, 0, example.shape.rows(), floats);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    EXPECT_EQ(floats[i], 0.5F * static_cast<float>(expected[i]))
        << to_string(example.encoding) << " " << i;
  }
}

TEST(TernaryEncodings, WorkedExamplesDecode) {
  for (const WorkedExample& example : worked_examples()) {
    expect_decodes(example);
  }
  for (const WorkedExample& example : examples_to_read()) {
    expect_decodes(example);
  }
}

// Trit t is the code t + 8: 9 for +1, 7 for -1, low nibble first half.
TEST(TernaryEncodings, Q4_0CarriesTritsAsCodesSevenToNine) {
  std::vector<std::int8_t> trits(32, 0);
  trits[0] = 1;
  trits[16] = -1;
  trits[31] = 1;
  EXPECT_EQ(encode(Encoding::q4_0, trits, 32, kScale), hex("00 38 | 79 88*14 98"));
}

TEST(TernaryEncodings, Q4_0AndQ8_0DecodeToFloat) {
  const auto q4 = hex("00 38 | f0 88*15");
  std::vector<float> floats(32);
  decode_to_float(stored_tensor(Encoding::q4_0, {32}, q4), 0, 1, floats);
  std::vector<float> expected(32, 0.0F);
  expected[0] = -4.0F;
  expected[16] = 3.5F;
  EXPECT_EQ(floats, expected);

  const auto q8 = hex("00 20 | 7f c0 20 00*29");  // scale 2^-7
  decode_to_float(stored_tensor(Encoding::q8_0, {32}, q8), 0, 1, floats);
  std::fill(expected.begin(), expected.end(), 0.0F);
  expected[0] = 127.0F / 128;
  expected[1] = -64.0F / 128;
  expected[2] = 32.0F / 128;
  EXPECT_EQ(floats, expected);
}

TEST(TernaryEncodings, PlainFloatsDecodeByRows) {
  const float f32[] = {1, 2, 3, 4, 5, 6};
  std::vector<float> rows(4);
  decode_to_float(stored_tensor(Encoding::f32, {3, 2}, std::as_bytes(std::span(f32))), 1, 2, rows);
  EXPECT_EQ(rows, (std::vector<float>{3, 4, 5, 6}));
  const double f64[] = {0.1, -2};
  std::vector<float> pair(2);
  decode_to_float(stored_tensor(Encoding::f64, {2}, std::as_bytes(std::span(f64))), 0, 1, pair);
  EXPECT_EQ(pair, (std::vector<float>{0.1F, -2.0F}));
  const auto f16 = hex("00 3c 00 b8");
  decode_to_float(stored_tensor(Encoding::f16, {2}, f16), 0, 1, pair);
  EXPECT_EQ(pair, (std::vector<float>{1.0F, -0.5F}));
  const auto bf16 = hex("80 3f 00 c0");
  decode_to_float(stored_tensor(Encoding::bf16, {2}, bf16), 0, 1, pair);
  EXPECT_EQ(pair, (std::vector<float>{1.0F, -2.0F}));
}

TEST(TernaryEncodings, AnAllZeroBlockHasTheScaleZero) {
  std::vector<std::int8_t> trits(512, 0);
  trits[300] = 1;
  const auto bytes = encode(Encoding::tq2_0, trits, 512, kScale);
  EXPECT_EQ(bytes, hex("55*64 00 00 | 55*12 59 55*51 00 38"));
  EXPECT_EQ(common_scale(stored_tensor(Encoding::tq2_0, {1, 512}, bytes)), kScale);
}

TEST(TernaryEncodings, ScalesThatDifferAreNoCommonScale) {
  const auto bytes = hex("55*64 00 38 | 55*64 00 3c");
  EXPECT_EQ(common_scale(stored_tensor(Encoding::tq2_0, {2, 256}, bytes)), std::nullopt);
}

TEST(TernaryEncodings, OnlyRowsOfWholeBlocksAreHeld) {
  const std::map<Encoding, std::size_t> multiples = {{Encoding::i2_s, 128},
                                                     {Encoding::tq1_0, 256},
                                                     {Encoding::tq2_0, 256},
                                                     {Encoding::q2_0, 64},
                                                     {Encoding::q4_0, 32}};
  for (const auto& entry : multiples) {
    EXPECT_TRUE(holds_trits(entry.first));
    EXPECT_EQ(required_multiple(entry.first), entry.second);
    expect_error<UnsupportedError>(
        [&] { encoded_row_bytes(entry.first, entry.second + 16); },
        {std::string(to_string(entry.first)), std::to_string(entry.second)});
  }
  EXPECT_FALSE(holds_trits(Encoding::q8_0));
  expect_error<UnsupportedError>([] { encoded_row_bytes(Encoding::q8_0, 32); }, {"Q8_0"});
  expect_error<UnsupportedError>([] { encoded_row_bytes(Encoding::f16, 32); }, {"F16"});
  for (const WorkedExample& example : examples_to_read()) {
    EXPECT_TRUE(holds_trits(example.encoding) && is_ternary_type(example.encoding));
    expect_error<UnsupportedError>([&] { encoded_row_bytes(example.encoding, 256); },
                                   {std::string(to_string(example.encoding))});
  }
  for (const Encoding encoding : {Encoding::q2_0, Encoding::q4_0, Encoding::q8_0, Encoding::f16}) {
    EXPECT_FALSE(is_ternary_type(encoding));
  }
}

TEST(TernaryEncodings, AScaleThatFloat16CannotHoldIsAnError) {
  const std::vector<std::int8_t> trits(256, 1);
  for (const float scale : {1e-9F, 70000.0F, -1.0F, 0.0F}) {
    expect_error<QuantizationError>([&] { encode(Encoding::tq2_0, trits, 256, scale); },
                                    {"TQ2_0", "float16"});
  }
  EXPECT_NO_THROW(encode(Encoding::i2_s, trits, 256, 1e-9F));
}

TEST(TernaryEncodings, ANumberThatIsNoTritIsNamedWithItsPlace) {
  std::vector<std::int8_t> trits(512, 0);
  trits[300] = 2;
  try {
    encode(Encoding::tq2_0, trits, 256, kScale);
    FAIL();
  } catch (const TernaryError& error) {
    EXPECT_EQ(error.row, 1U);
    EXPECT_EQ(error.column, 44U);
    EXPECT_EQ(error.code, 2);
  }
  const auto q4 = hex("00 38 | 88*5 f8 88*10");
  try {
    std::vector<std::int8_t> out(32);
    decode_trits(stored_tensor(Encoding::q4_0, {1, 32}, q4), 0, 1, out);
    FAIL();
  } catch (const TernaryError& error) {
    EXPECT_EQ(error.column, 21U);
    EXPECT_EQ(error.code, 15);
  }
}

TEST(TernaryEncodings, RowsBeyondTheMatrixAndOtherTypesAreErrors) {
  const auto bytes = hex("55*64 00 38");
  const StoredTensor tensor = stored_tensor(Encoding::tq2_0, {1, 256}, bytes);
  std::vector<float> out(256);
  expect_error<ShapeMismatch>([&] { decode_to_float(tensor, 1, 1, out); }, {"rows"});
  expect_error<ShapeMismatch>([&] { decode_to_float(tensor, 0, std::size_t(-1), out); }, {"rows"});
  expect_error<ShapeMismatch>([&] { decode_to_float(tensor, 0, 1, std::span(out).first(9)); });
  const StoredTensor unknown = stored_tensor(Encoding::other, {1, 4}, bytes);
  expect_error<UnsupportedError>([&] { decode_to_float(unknown, 0, 1, std::span(out).first(4)); },
                                 {"weight", "other"});
  std::vector<std::int8_t> trits(128);
  const StoredTensor floats = stored_tensor(Encoding::f32, {1, 4}, bytes);
  expect_error<UnsupportedError>([&] { decode_trits(floats, 0, 1, std::span(trits).first(4)); },
                                 {"weight", "F32"});
}

// A file's I2_S may be relabelled, and IQ2_BN_R4 come with any number of rows: nothing is read
// beyond the tensor.
TEST(TernaryEncodings, ShapesThatInterleavingCannotHaveAreErrors) {
  const auto bytes = hex("55*256");
  std::vector<std::int8_t> trits(64);
  for (const auto& [encoding, shape] :
       {std::pair{Encoding::i2_s_rows4, Shape{3, 64}}, std::pair{Encoding::iq2_bn_r4, Shape{6, 64}},
        std::pair{Encoding::i2_s_rows4, Shape{4, 32}},
        std::pair{Encoding::i2_s_64, Shape{1, 96}}}) {
    const StoredTensor tensor = stored_tensor(encoding, shape, bytes);
    trits.resize(shape.columns());
    expect_error<UnsupportedError>([&] { decode_trits(tensor, 0, 1, trits); },
                                   {"weight", std::string(to_string(encoding))});
  }
}

// [0,-1] [1,0] [-1,1] [1,1] [0,0] [-1,-1] [1,0] [0,1]: byte [0][0] holds rows 0, 2, 4, 6.
TEST(HfPacked, WorkedExample) {
  const std::vector<std::int8_t> trits = {0, -1, 1, 0, -1, 1, 1, 1, 0, 0, -1, -1, 1, 0, 0, 1};
  const auto bytes = hex("91 58 4a 89");
  EXPECT_EQ(encode_hf_packed(trits, 8, 2), bytes);
  std::vector<std::int8_t> rows(6);
  decode_hf_packed(stored_tensor(Encoding::u8, {2, 2}, bytes), 8, 3, 3, rows);
  EXPECT_EQ(rows, std::vector<std::int8_t>(trits.begin() + 6, trits.begin() + 12));
}

TEST(HfPacked, WrongTensorsAndRowsAreErrors) {
  const auto bytes = hex("55*4");
  std::vector<std::int8_t> out(2);
  const auto decode = [&](Encoding encoding, Shape shape, std::size_t features, std::size_t row) {
    decode_hf_packed(stored_tensor(encoding, shape, bytes), features, row, 1, out);
  };
  EXPECT_NO_THROW(decode(Encoding::u8, {2, 2}, 8, 7));
  expect_error<FormatError>([&] { decode(Encoding::i8, {2, 2}, 8, 0); }, {"U8"});
  expect_error<FormatError>([&] { decode(Encoding::u8, {4}, 8, 0); }, {"[2, in]"});
  expect_error<FormatError>([&] { decode(Encoding::u8, {2, 2}, 12, 0); }, {"[3, in]"});
  expect_error<ShapeMismatch>([&] { decode(Encoding::u8, {2, 2}, 7, 7); }, {"0..7"});
  expect_error<ShapeMismatch>([] { encode_hf_packed(std::vector<std::int8_t>(6), 3, 2); });
  expect_error<TernaryError>([] { encode_hf_packed(std::vector<std::int8_t>(4, 2), 4, 1); });
  expect_error<FormatError>(
      [&] { read_hf_scale(stored_tensor(Encoding::bf16, {2}, bytes), HfScaleMeaning::multiplier); },
      {"one number"});
}

// A file may declare 2^62 rows of no columns in 32 bytes; a loop over them would not end.
TEST(TernaryEncodings, RowsOfNoColumnsAreDoneAtOnce) {
  const std::vector<std::byte> tail(32);
  const std::size_t rows = std::size_t{1} << 62;
  for (const Encoding encoding : {Encoding::i2_s, Encoding::tq2_0, Encoding::q8_0}) {
    const StoredTensor tensor = test::stored_tensor(encoding, {rows, 0}, tail);
    EXPECT_NO_THROW(decode_to_float(tensor, 0, rows, {}));
    EXPECT_NO_THROW(decode_trits(tensor, 0, rows, {}));
    EXPECT_EQ(common_scale(tensor), std::nullopt);
  }
}

}  // namespace
}  // namespace bitnet
