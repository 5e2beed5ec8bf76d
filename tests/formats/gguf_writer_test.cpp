// SPDX-License-Identifier: MIT
// GGUF writing. Oracle: the 192 bytes of the worked example, put together by hand.
#include "formats/gguf_writer.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include "formats/byte_string.h"
#include "formats/gguf_reader.h"
#include "formats/hostile_bytes.h"
#include "formats/temporary_folder.h"

namespace bitnet {
namespace {

using test::expect_error;
using test::hex;
using test::read_file;
using test::TemporaryFolder;

std::vector<GgufKeyValue> worked_key_values() {
  return {{"general.architecture", "llama"}, {"a", std::vector<std::int32_t>{7, -1}}};
}

constexpr float kNumbers[] = {0, 1, 2, 3, 4, 5, 6, 7};

std::vector<std::byte> worked_bytes() {
  test::ByteString file;
  file.hex("47 47 55 46 03 00 00 00 | 01 00*7 | 02 00*7")
      .hex("14 00*7")
      .text("general.architecture")
      .hex("08 00 00 00 | 05 00*7")
      .text("llama")
      .hex("01 00*7 61 | 09 00 00 00 | 05 00 00 00 | 02 00*7 | 07 00 00 00 ff ff ff ff")
      .hex("08 00*7")
      .text("t.weight")
      .hex("02 00 00 00 | 04 00*7 | 02 00*7 | 00 00 00 00 | 00*8")
      .hex("00*10");
  for (const float number : kNumbers) {
    file.number(number);
  }
  return file.bytes();
}

TEST(GgufWriter, WorkedExampleByteForByte) {
  const TemporaryFolder folder;
  GgufWriter writer(folder / "out.gguf", worked_key_values(),
                    {{"t.weight", Encoding::f32, {2, 4}}});
  const auto bytes = std::as_bytes(std::span(kNumbers));
  writer.append(bytes.first(5));
  writer.append(bytes.subspan(5));
  EXPECT_FALSE(std::filesystem::exists(folder / "out.gguf"));
  writer.commit();
  EXPECT_EQ(read_file(folder / "out.gguf"), worked_bytes());
  EXPECT_EQ(folder.count(), 1U);
}

// Oracle for the values: the reader, whose own tests build their files by hand.
TEST(GgufWriter, EveryValueTypeReadsBack) {
  const TemporaryFolder folder;
  const std::vector<GgufKeyValue> values = {{"u32", std::uint32_t{4000000000U}},
                                            {"i32", std::int32_t{-3}},
                                            {"u64", std::uint64_t(-1)},
                                            {"i64", std::int64_t{-4}},
                                            {"f32", 0.5F},
                                            {"f64", 0.1},
                                            {"bool", true},
                                            {"string", "text"},
                                            {"u32s", std::vector<std::uint32_t>{1, 4000000000U}},
                                            {"floats", std::vector<float>{0.25F}},
                                            {"strings", std::vector<std::string>{"a", ""}}};
  GgufWriter writer(folder / "out", values, {});
  writer.commit();
  const auto bytes = read_file(folder / "out");
  EXPECT_EQ(bytes.size(), writer.offset());
  const auto read = parse_gguf(bytes, "out").metadata;
  EXPECT_EQ(read.size(), values.size());
  EXPECT_EQ(std::get<std::uint64_t>(read.at("u32")), 4000000000U);
  EXPECT_EQ(std::get<std::int64_t>(read.at("i32")), -3);
  EXPECT_EQ(std::get<std::uint64_t>(read.at("u64")), std::uint64_t(-1));
  EXPECT_EQ(std::get<std::int64_t>(read.at("i64")), -4);
  EXPECT_EQ(std::get<double>(read.at("f32")), 0.5);
  EXPECT_EQ(std::get<double>(read.at("f64")), 0.1);
  EXPECT_EQ(std::get<bool>(read.at("bool")), true);
  EXPECT_EQ(std::get<std::string>(read.at("string")), "text");
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(read.at("u32s")),
            (std::vector<std::int64_t>{1, 4000000000}));
  EXPECT_EQ(std::get<std::vector<double>>(read.at("floats")), std::vector<double>{0.25});
  EXPECT_EQ(std::get<std::vector<std::string>>(read.at("strings")),
            (std::vector<std::string>{"a", ""}));
}

TEST(GgufWriter, TensorsAreContiguousPaddedAndTrimmed) {
  const TemporaryFolder folder;
  GgufWriter writer(folder / "out", {},
                    {{"a", Encoding::i8, {3}},
                     {"b", Encoding::i2_s, {1, 2, 128}},
                     {"c", Encoding::i8, {1, 1, 5}},
                     {"d", Encoding::f32, {}}});
  writer.append(hex("01 02 03"));
  writer.append(hex("04*96"));
  writer.append(hex("05*5"));
  writer.append(hex("06*4"));
  writer.commit();
  const auto bytes = read_file(folder / "out");
  const GgufContents contents = parse_gguf(bytes, "out");
  ASSERT_EQ(contents.tensors.size(), 4U);
  const std::uint64_t begin = contents.tensors[0].file_offset;
  EXPECT_EQ(contents.tensors[1].file_offset, begin + 32);
  EXPECT_EQ(contents.tensors[2].file_offset, begin + 32 + 96);
  EXPECT_EQ(contents.tensors[3].file_offset, begin + 32 + 96 + 32);
  EXPECT_EQ(contents.tensors[1].shape, (Shape{2, 128}));
  EXPECT_EQ(contents.tensors[2].shape, (Shape{5}));
  EXPECT_EQ(contents.tensors[3].shape, (Shape{1}));
  EXPECT_EQ(std::vector(bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.end()),
            hex("01 02 03 00*29 | 04*96 | 05*5 00*27 | 06*4 00*28"));
}

TEST(GgufWriter, TooManyOrTooFewBytesAreErrorsAndLeaveNothing) {
  const TemporaryFolder folder;
  {
    GgufWriter writer(folder / "out", {}, {{"a", Encoding::i8, {3}}, {"b", Encoding::i8, {4}}});
    expect_error<InvalidArgument>([&] { writer.append(hex("00*4")); }, {"'a'", "at most 3"});
    writer.append(hex("00*3"));
    expect_error<InvalidArgument>([&] { writer.commit(); }, {"'b'", "4 bytes"});
    writer.append(hex("00*4"));
    expect_error<InvalidArgument>([&] { writer.append(hex("00")); }, {"none left"});
  }
  EXPECT_EQ(folder.count(), 0U);
}

TEST(GgufWriter, DeclarationsThatNoReaderTakesAreErrors) {
  const TemporaryFolder folder;
  const auto write = [&](const std::vector<GgufKeyValue>& values,
                         const std::vector<TensorDeclaration>& tensors) {
    GgufWriter(folder / "out", values, tensors);
  };
  const GgufKeyValue key{"k", true};
  const TensorDeclaration tensor{"t", Encoding::f32, {4}};
  expect_error<InvalidArgument>([&] { write({key, key}, {}); }, {"'k'"});
  expect_error<InvalidArgument>([&] { write({{"", true}}, {}); });
  expect_error<InvalidArgument>([&] { write({{"\xff", true}}, {}); }, {"UTF-8"});
  expect_error<InvalidArgument>([&] { write({{"general.alignment", std::uint32_t{64}}}, {}); });
  expect_error<InvalidArgument>([&] { write({}, {tensor, tensor}); }, {"'t'"});
  expect_error<InvalidArgument>([&] { write({}, {{std::string(64, 'n'), Encoding::f32, {4}}}); });
  expect_error<InvalidArgument>([&] { write({}, {{"t", Encoding::f32, {0, 4}}}); }, {"[0, 4]"});
  expect_error<InvalidArgument>([&] { write({}, {{"t", Encoding::f32, {2, 2, 2, 2, 2}}}); });
  expect_error<UnsupportedError>([&] { write({}, {{"t", Encoding::u8, {4}}}); }, {"U8"});
  expect_error<UnsupportedError>([&] { write({}, {{"t", Encoding::tq2_0, {2, 128}}}); }, {"256"});
  EXPECT_EQ(folder.count(), 0U);
}

}  // namespace
}  // namespace bitnet
