// SPDX-License-Identifier: MIT
// GGUF reading. Oracle: files put together by hand from the format's description, and the list of
// bad files that llama.cpp's own reader refuses.
#include "formats/gguf_reader.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <functional>

#include "formats/byte_string.h"
#include "formats/hostile_bytes.h"

namespace bitnet {
namespace {

using test::ByteString;
using test::ExactCopy;
using test::expect_error;

constexpr std::uint32_t kF32 = 0, kI8 = 24, kI64 = 27, kTq2 = 35;
constexpr std::uint32_t kU32Value = 4, kI32Value = 5, kArrayValue = 9;

ByteString header(std::uint64_t tensors, std::uint64_t key_values, std::uint32_t version = 3) {
  return ByteString().text("GGUF").u32(version).u64(tensors).u64(key_values);
}

ByteString& info(ByteString& file, std::string_view name, const std::vector<std::uint64_t>& dims,
                 std::uint32_t type, std::uint64_t offset) {
  file.string(name).u32(static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) {
    file.u64(dim);
  }
  return file.u32(type).u64(offset);
}

/// One tensor of the given info and `data` bytes, padded to 32.
ByteString one_tensor(std::string_view name, const std::vector<std::uint64_t>& dims,
                      std::uint32_t type, std::uint64_t offset, std::size_t data) {
  ByteString file = header(1, 0);
  return info(file, name, dims, type, offset).pad_to(32).zeros(data);
}

ByteString two_tensors(std::uint64_t second_offset, std::size_t data) {
  ByteString file = header(2, 0);
  info(file, "a", {3}, kF32, 0);
  return info(file, "b", {5}, kF32, second_offset).pad_to(32).zeros(data);
}

/// Two key-values and a tensor of 2 rows: the worked example of docs/formats/gguf.md.
ByteString worked_example() {
  ByteString file = header(1, 2);
  file.string("general.architecture").u32(8).string("llama");
  file.string("a").u32(kArrayValue).u32(kI32Value).u64(2).number(std::int32_t{7});
  file.number(std::int32_t{-1});
  info(file, "t.weight", {4, 2}, kF32, 0).pad_to(32);
  for (int i = 0; i < 8; ++i) {
    file.number(static_cast<float>(i));
  }
  return file;
}

GgufContents parse(std::span<const std::byte> bytes) { return parse_gguf(bytes, "model.gguf"); }
/// From memory that ends where the file does.
GgufContents parse(const ByteString& file) {
  ExactCopy copy(file.bytes());
  return parse(copy.bytes());
}

TEST(GgufReader, WorkedExample) {
  const ByteString file = worked_example();
  ASSERT_EQ(file.size(), 192U);
  const GgufContents contents = parse(file.bytes());
  EXPECT_EQ(std::get<std::string>(contents.metadata.at("general.architecture")), "llama");
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(contents.metadata.at("a")),
            (std::vector<std::int64_t>{7, -1}));
  ASSERT_EQ(contents.tensors.size(), 1U);
  const StoredTensor& tensor = contents.tensors[0];
  EXPECT_EQ(tensor.name, "t.weight");
  EXPECT_EQ(tensor.encoding, Encoding::f32);
  EXPECT_EQ(tensor.type_name, "F32");
  EXPECT_EQ(tensor.shape, (Shape{2, 4}));
  EXPECT_EQ(tensor.file_offset, 160U);
  EXPECT_EQ(tensor.bytes.data(), file.bytes().data() + 160);
  EXPECT_EQ(tensor.bytes.size(), 32U);
}

TEST(GgufReader, EveryValueType) {
  ByteString file = header(0, 15, 2);
  file.string("u8").u32(0).number(std::uint8_t{255});
  file.string("i8").u32(1).number(std::int8_t{-1});
  file.string("u16").u32(2).number(std::uint16_t{65535});
  file.string("i16").u32(3).number(std::int16_t{-2});
  file.string("u32").u32(4).u32(4000000000U);
  file.string("i32").u32(5).number(std::int32_t{-3});
  file.string("f32").u32(6).number(0.5F);
  file.string("bool").u32(7).number(std::uint8_t{1});
  file.string("string").u32(8).string("text");
  file.string("u64").u32(10).u64(std::uint64_t(-1));
  file.string("i64").u32(11).number(std::int64_t{-4});
  file.string("f64").u32(12).number(0.1);
  file.string("bools").u32(9).u32(7).u64(2).number(std::uint16_t{1});
  file.string("floats").u32(9).u32(6).u64(1).number(0.25F);
  file.string("strings").u32(9).u32(8).u64(2).string("a").string("");
  const auto values = parse(file).metadata;
  EXPECT_EQ(std::get<std::uint64_t>(values.at("u8")), 255U);
  EXPECT_EQ(std::get<std::int64_t>(values.at("i8")), -1);
  EXPECT_EQ(std::get<std::uint64_t>(values.at("u16")), 65535U);
  EXPECT_EQ(std::get<std::int64_t>(values.at("i16")), -2);
  EXPECT_EQ(std::get<std::uint64_t>(values.at("u32")), 4000000000U);
  EXPECT_EQ(std::get<std::int64_t>(values.at("i32")), -3);
  EXPECT_EQ(std::get<double>(values.at("f32")), 0.5);
  EXPECT_EQ(std::get<bool>(values.at("bool")), true);
  EXPECT_EQ(std::get<std::string>(values.at("string")), "text");
  EXPECT_EQ(std::get<std::uint64_t>(values.at("u64")), std::uint64_t(-1));
  EXPECT_EQ(std::get<std::int64_t>(values.at("i64")), -4);
  EXPECT_EQ(std::get<double>(values.at("f64")), 0.1);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(values.at("bools")),
            (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(std::get<std::vector<double>>(values.at("floats")), std::vector<double>{0.25});
  EXPECT_EQ(std::get<std::vector<std::string>>(values.at("strings")),
            (std::vector<std::string>{"a", ""}));
}

ByteString alignment_key(std::uint32_t type, std::uint32_t value, std::uint64_t tensors = 0) {
  return header(tensors, 1).string("general.alignment").u32(type).u32(value);
}

TEST(GgufReader, GoodFilesOfTheCheckList) {
  EXPECT_TRUE(parse(header(0, 0)).tensors.empty());
  EXPECT_EQ(parse(one_tensor("empty", {0, 4}, kF32, 0, 0)).tensors[0].shape, (Shape{4, 0}));
  EXPECT_EQ(parse(one_tensor("scalar", {}, kF32, 0, 32)).tensors[0].bytes.size(), 4U);
  EXPECT_EQ(parse(two_tensors(32, 64)).tensors[1].bytes.size(), 20U);

  // Stated alignments: 1 leaves no padding at all, 64 more than usual.
  ByteString one = alignment_key(kU32Value, 1, 2);
  info(one, "a", {3}, kI8, 0);
  info(one, "b", {5}, kI8, 3).zeros(8);
  EXPECT_EQ(parse(one).tensors[1].file_offset, one.size() - 5);
  ByteString wide = alignment_key(kU32Value, 64, 1);
  info(wide, "a", {3}, kI8, 0).pad_to(64).zeros(64);
  EXPECT_EQ(parse(wide).tensors[0].file_offset, wide.size() - 64);

  // The largest that is allowed.
  EXPECT_EQ(parse(one_tensor(std::string(63, 'n'), {3}, kF32, 0, 32)).tensors.size(), 1U);
  EXPECT_EQ(parse(one_tensor("t", {1, 2, 3, 4}, kI8, 0, 32)).tensors[0].shape, (Shape{4, 3, 2, 1}));
  EXPECT_EQ(parse(one_tensor("t", {0, (1ULL << 63) - 1}, kI8, 0, 0)).tensors[0].bytes.size(), 0U);
  EXPECT_TRUE(parse(alignment_key(kU32Value, 1U << 31)).tensors.empty());
}

// Oracle: positions counted by hand. The infos of two_tensors end at byte 90, so that the data
// begins at 96.
TEST(GgufReader, WarnsOfWhatLlamaCppWouldNotWrite) {
  using Warnings = std::vector<std::string>;
  EXPECT_EQ(parse(two_tensors(32, 64)).warnings, Warnings{});
  EXPECT_EQ(parse(worked_example()).warnings, Warnings{});
  EXPECT_EQ(parse(header(0, 0)).warnings, Warnings{});

  const GgufContents gap = parse(two_tensors(96, 128));
  EXPECT_EQ(gap.tensors[1].file_offset, 192U);
  EXPECT_EQ(gap.warnings, Warnings{"model.gguf: tensor 'b': 64 bytes of gap before byte 192"});

  EXPECT_EQ(parse(two_tensors(32, 64).text("trailing")).warnings,
            Warnings{"model.gguf: 8 bytes behind the last tensor, from byte 160"});
  EXPECT_EQ(parse(header(0, 0).zeros(9)).warnings,
            Warnings{"model.gguf: 1 bytes behind the last tensor, from byte 32"});

  ByteString swapped = header(2, 0);
  info(swapped, "a", {3}, kF32, 32);
  info(swapped, "b", {5}, kF32, 0).pad_to(32).zeros(64);
  const GgufContents sorted = parse(swapped);
  EXPECT_EQ(sorted.tensors[0].name, "b");
  EXPECT_EQ(sorted.warnings,
            Warnings{"model.gguf: tensor 'b': lies before the tensor listed before it"});

  // The 20 bytes of b are there, their padding is not.
  for (const std::size_t data : {52U, 63U}) {
    const GgufContents cut = parse(two_tensors(32, data));
    EXPECT_EQ(cut.tensors[1].bytes.size(), 20U);
    EXPECT_EQ(cut.warnings,
              Warnings{"model.gguf: the padding of the last tensor is missing: expected a file of "
                       "160 bytes, found " +
                       std::to_string(96 + data)});
  }
}

struct BadFile {
  std::string what;
  ByteString file;
  std::vector<std::string> words;  ///< that the message must hold
};

void expect_refused(const std::vector<BadFile>& files) {
  for (const BadFile& bad : files) {
    SCOPED_TRACE(bad.what);
    std::vector<std::string> words = bad.words;
    words.push_back("model.gguf");
    expect_error<FormatError>([&] { parse(bad.file); }, words);
  }
}

TEST(GgufReader, BadHeaders) {
  expect_refused({
      {"magic", ByteString().text("FUGG").u32(3).u64(0).u64(0), {"magic", "46 55 47 47", "byte 4"}},
      {"version 0", header(0, 0, 0), {"version", "found 0"}},
      {"version 1", header(0, 0, 1), {"version", "found 1"}},
      {"version 4", header(0, 0, 4), {"version", "found 4"}},
      {"big-endian", header(0, 0, 0x03000000), {"big-endian"}},
      {"-1 tensors", header(std::uint64_t(-1), 0), {"number of tensors"}},
      {"-1 keys", header(0, std::uint64_t(-1)), {"number of keys"}},
      {"more keys than bytes", header(0, 5).zeros(64), {"number of keys", "64"}},
  });
}

TEST(GgufReader, BadKeyValues) {
  const auto key = [](std::string_view name) { return header(0, 1).string(name); };
  expect_refused({
      {"key length -1", header(0, 1).u64(std::uint64_t(-1)).zeros(16), {"key 0", "string"}},
      {"huge value length", key("k").u32(8).u64(std::uint64_t(-1)).zeros(16), {"'k'", "byte 45"}},
      {"value type cut", key("kk").hex("04 00 00"), {"'kk'", "4 bytes", "byte 34"}},
      {"empty key", key("").u32(kU32Value).u32(1), {"key 0", "at least one"}},
      {"key not UTF-8", key("a\xff").u32(kU32Value).u32(1), {"UTF-8"}},
      {"value type 13", key("k").u32(13).u64(0), {"'k'", "13"}},
      {"twice", header(0, 2).string("k").u32(4).u32(1).string("k").u32(4).u32(1), {"twice"}},
      {"bool 2", key("k").u32(7).hex("02 00*8"), {"bool", "found 2"}},
      {"string past the end", key("k").u32(8).u64(5).text("1234"), {"'k'", "string"}},
      {"array inside an array", key("k").u32(9).u32(9).u64(0).zeros(9), {"array inside"}},
      {"array of 2^63", key("k").u32(9).u32(0).u64(1ULL << 63).zeros(9), {"array"}},
      {"array longer than the file", key("k").u32(9).u32(10).u64(2).zeros(15), {"array"}},
      {"array of strings longer than the file",
       key("k").u32(9).u32(8).u64(2).string("").zeros(7),
       {"'k'", "array", "the count 2"}},
      {"bool 2 in an array", key("k").u32(9).u32(7).u64(2).hex("01 02 00*8"), {"'k'", "found 2"}},
      {"array's last string cut", key("k").u32(9).u32(8).u64(2).string("aaaaaaaa").u64(1), {"'k'"}},
      {"array of type 13", key("k").u32(9).u32(13).u64(1).zeros(8), {"13"}},
      {"array above 2^63", key("k").u32(9).u32(10).u64(1).u64(std::uint64_t(-1)), {"2^63"}},
      {"alignment 13", alignment_key(kU32Value, 13), {"general.alignment", "power of two"}},
      {"alignment 0", alignment_key(kU32Value, 0), {"general.alignment", "power of two"}},
      {"alignment as i32", alignment_key(kI32Value, 32), {"general.alignment", "uint32"}},
  });
}

TEST(GgufReader, BadTensorInfos) {
  const std::uint64_t big = 4 * std::uint64_t{0x7fffffff};
  ByteString twice = header(2, 0);
  info(twice, "a", {3}, kF32, 0);
  info(twice, "a", {3}, kF32, 32).pad_to(32).zeros(64);
  ByteString unaligned = alignment_key(kU32Value, 64, 2);
  info(unaligned, "a", {3}, kF32, 0);
  info(unaligned, "b", {3}, kF32, 32).pad_to(64).zeros(128);
  ByteString huge_alignment = alignment_key(kU32Value, 1U << 31, 1);
  info(huge_alignment, "a", {3}, kF32, 0).zeros(64);
  expect_refused({
      {"name of 64 bytes", one_tensor(std::string(64, 'n'), {3}, kF32, 0, 32), {"63"}},
      {"name not UTF-8", one_tensor("\xc0\x80", {3}, kF32, 0, 32), {"UTF-8"}},
      {"5 dimensions", one_tensor("t", {1, 1, 1, 1, 1}, kF32, 0, 32), {"'t'", "4 dimensions"}},
      {"dimension -1", one_tensor("t", {std::uint64_t(-1)}, kF32, 0, 32), {"'t'", "2^63"}},
      {"dimensions overflow", one_tensor("t", {big, big}, kF32, 0, 32), {"'t'", "2^63"}},
      {"bytes overflow", one_tensor("t", {1ULL << 61}, kI64, 0, 32), {"'t'", "overflows"}},
      {"row of half a block", one_tensor("t", {128, 2}, kTq2, 0, 96), {"multiple of 256"}},
      {"dimensions overflow beside 0",
       one_tensor("t", {0, big, big}, kF32, 0, 32),
       {"'t'", "2^63"}},
      {"offset one too small", two_tensors(31, 64), {"'b'", "multiple of 32", "found 31"}},
      {"offset -1", one_tensor("t", {3}, kF32, std::uint64_t(-1), 32), {"multiple of 32"}},
      {"offset for alignment 1", two_tensors(12, 64), {"'b'", "multiple of 32"}},
      {"offset for alignment 32", unaligned, {"'b'", "multiple of 64"}},
      {"name twice", twice, {"'a'", "twice"}},
      {"alignment 2^31", huge_alignment, {"'a'", "12 bytes"}},
  });
}

TEST(GgufReader, BadData) {
  ByteString sum_overflows = header(2, 0);
  info(sum_overflows, "a", {0x7FFFFFFFFFFFFFC0}, kI8, 0);
  info(sum_overflows, "b", {0x7FFFFFFFFFFFFFC0}, kI8, 0x7FFFFFFFFFFFFFC0).pad_to(32).zeros(64);
  expect_refused({
      {"one byte short", two_tensors(32, 51), {"'b'", "20 bytes", "96 + 32", "147 bytes"}},
      {"padding of the first tensor missing", two_tensors(32, 12), {"'b'", "108 bytes"}},
      {"no data", one_tensor("t", {3}, kF32, 0, 0), {"'t'", "12 bytes"}},
      {"overlap", two_tensors(0, 64), {"'b'", "at least 32", "found 0", "byte 96"}},
      {"sum of sizes overflows", sum_overflows, {"'a'"}},
      {"far away", one_tensor("t", {3}, kF32, std::uint64_t(-32), 32), {"'t'"}},
  });
}

TEST(GgufReader, TypesOfUnknownSizeAreUnsupportedByName) {
  struct Unsized {
    std::uint32_t id;
    std::vector<std::string> words;
  };
  const std::vector<Unsized> types = {
      {4, {"removed"}},
      {31, {"unknown"}},
      {37, {"I8_S"}},
      {38, {"TL1"}},
      {39, {"TL2", "MXFP4"}},
      {43, {"type 43"}},
      {std::uint32_t(-1), {"unknown"}},
  };
  for (const Unsized& type : types) {
    std::vector<std::string> words = type.words;
    words.insert(words.end(), {"model.gguf", "'t'", "before byte 49"});
    expect_error<UnsupportedError>([&] { parse(one_tensor("t", {256}, type.id, 0, 512)); }, words);
  }
}

// Bytes of a row of 256 elements, from the formats' documentation.
TEST(GgufReader, TypesKnownByTheirSize) {
  struct Known {
    std::uint32_t id;
    std::string name;
    Encoding encoding;
    std::size_t bytes;
  };
  const std::vector<Known> types = {{1, "F16", Encoding::f16, 512},
                                    {2, "Q4_0", Encoding::q4_0, 8 * 18},
                                    {8, "Q8_0", Encoding::q8_0, 8 * 34},
                                    {12, "Q4_K", Encoding::q4_k, 144},
                                    {14, "Q6_K", Encoding::q6_k, 210},
                                    {28, "F64", Encoding::f64, 2048},
                                    {30, "BF16", Encoding::bf16, 512},
                                    {34, "TQ1_0", Encoding::tq1_0, 54},
                                    {35, "TQ2_0", Encoding::tq2_0, 66},
                                    {36, "I2_S", Encoding::i2_s, 64 + 32},
                                    {42, "Q2_0", Encoding::q2_0, 4 * 18},
                                    {134, "IQ1_BN", Encoding::iq1_bn, 4 * 13 + 2},
                                    {135, "IQ2_BN", Encoding::iq2_bn, 4 * 16 + 4}};
  for (const Known& type : types) {
    const StoredTensor tensor =
        parse(one_tensor("t", {256}, type.id, 0, (type.bytes + 31) / 32 * 32)).tensors[0];
    EXPECT_EQ(tensor.type_name, type.name);
    EXPECT_EQ(tensor.encoding, type.encoding) << type.name;
    EXPECT_EQ(tensor.bytes.size(), type.bytes) << type.name;
  }
}

TEST(GgufReader, EveryTruncationIsAnErrorAndNoFlipCrashes) {
  const ByteString file = worked_example();
  const auto parse_bytes = [](std::span<const std::byte> bytes) { parse(bytes); };
  test::expect_error_at_every_length(file.bytes(), parse_bytes);
  // Every flip in the magic and in the upper bits of counts, lengths and dimensions shows.
  EXPECT_GT(test::flip_every_bit(file.bytes(), parse_bytes), 300U);
}

}  // namespace
}  // namespace bitnet
