// SPDX-License-Identifier: MIT
// Safetensors reading and writing. Oracle: files put together by hand from the format's
// description.
#include "formats/safetensors.h"

#include <bitnet/error.h>
#include <gtest/gtest.h>

#include "formats/byte_string.h"
#include "formats/hostile_bytes.h"

namespace bitnet {
namespace {

using test::ByteString;
using test::ExactCopy;
using test::expect_error;

ByteString file(std::string_view header, std::size_t data) {
  return ByteString().u64(header.size()).text(header).zeros(data);
}

SafetensorsContents parse(std::span<const std::byte> bytes) {
  return parse_safetensors(bytes, "model.safetensors");
}
SafetensorsContents parse(const ByteString& file) {
  ExactCopy copy(file.bytes());
  return parse(copy.bytes());
}

TEST(Safetensors, ReadsTensorsByOffsetAndMetadata) {
  const ByteString bytes = file(
      R"({"__metadata__":{"format":"pt"},
          "b":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},
          "a":{"shape":[2],"data_offsets":[0,4],"dtype":"BF16"},
          "scalar":{"dtype":"U8","shape":[],"data_offsets":[12,13]},
          "empty":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}}   )",
      13);
  const SafetensorsContents contents = parse(bytes.bytes());
  EXPECT_EQ(contents.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(contents.tensors.size(), 4U);
  EXPECT_EQ(contents.tensors[0].name, "a");
  EXPECT_EQ(contents.tensors[0].encoding, Encoding::bf16);
  EXPECT_EQ(contents.tensors[1].name, "empty");
  EXPECT_EQ(contents.tensors[2].name, "b");
  EXPECT_EQ(contents.tensors[2].shape, (Shape{2, 1}));
  EXPECT_EQ(contents.tensors[2].file_offset, bytes.size() - 9);
  EXPECT_EQ(contents.tensors[2].bytes.data(), bytes.bytes().data() + bytes.size() - 9);
  EXPECT_EQ(contents.tensors[2].bytes.size(), 8U);
  EXPECT_EQ(contents.tensors[3].shape, Shape{});
}

TEST(Safetensors, TheMinimalFileHoldsNothing) {
  EXPECT_TRUE(parse(test::hex("08 00*7 7b 7d 20*6")).tensors.empty());
}

TEST(Safetensors, DtypesThatAreNotReadAreKeptByName) {
  const auto tensors = parse(file(R"({"x":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]},
                     "y":{"dtype":"F4","shape":[2],"data_offsets":[3,4]},
                     "z":{"dtype":"NEW","shape":[9],"data_offsets":[4,6]}})",
                                  6))
                           .tensors;
  ASSERT_EQ(tensors.size(), 3U);
  for (const StoredTensor& tensor : tensors) {
    EXPECT_EQ(tensor.encoding, Encoding::other);
  }
  EXPECT_EQ(tensors[2].type_name, "NEW");
}

struct BadFile {
  std::string what;
  ByteString file;
  std::vector<std::string> words;
};

void expect_refused(const std::vector<BadFile>& files) {
  for (const BadFile& bad : files) {
    SCOPED_TRACE(bad.what);
    std::vector<std::string> words = bad.words;
    words.push_back("model.safetensors");
    expect_error<FormatError>([&] { parse(bad.file); }, words);
  }
}

TEST(Safetensors, BadHeaders) {
  expect_refused({
      {"no bytes", ByteString(), {"8 bytes", "found 0"}},
      {"7 bytes", ByteString().zeros(7), {"found 7"}},
      {"length above the limit", ByteString().u64(100'000'001).text("{}"), {"at most", "byte 0"}},
      {"length past the end", ByteString().u64(3).text("{}"), {"3 bytes", "found 2"}},
      {"length -1", ByteString().u64(std::uint64_t(-1)).text("{}"), {"at most"}},
      {"no header", ByteString().u64(0), {"'{'"}},
      {"space first", file(" {}", 0), {"'{'"}},
      {"no JSON", file("{]", 0), {"JSON"}},
      {"text behind the JSON", file("{}x", 0), {"JSON"}},
      {"number beyond every type", file("{\"a\":1e999}", 0), {"JSON"}},
      {"zero byte behind the JSON", file(std::string("{}\0x", 4), 0), {"zero byte at byte 10"}},
      {"not UTF-8", file("{\"\xff\":{}}", 0), {"UTF-8"}},
      {"deeply nested",
       file("{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}", 0),
       {"levels"}},
      {"bytes behind the last tensor", file("{}", 1), {"end with its last tensor"}},
  });
}

TEST(Safetensors, BadEntries) {
  const auto entry = [](const std::string& text) { return file("{\"t\":" + text + "}", 8); };
  const auto tensor = [&](const std::string& dtype, const std::string& shape,
                          const std::string& offsets) {
    return entry("{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
                 "}");
  };
  expect_refused({
      {"no object", entry("[]"), {"'t'", "object", "found []", "header at byte 8"}},
      {"key missing", entry(R"({"dtype":"F32","shape":[2]})"), {"'t'", "data_offsets"}},
      {"key unknown", entry(R"({"dtype":"F32","shape":[2],"offsets":[0,8]})"), {"'t'"}},
      {"key too many", entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})"), {"'t'"}},
      {"dtype a number", tensor("1", "[2]", "[0,8]"), {"'t'", "dtype"}},
      {"shape no array", tensor("\"F32\"", "2", "[0,8]"), {"'t'", "shape"}},
      {"dimension negative", tensor("\"F32\"", "[-2]", "[0,8]"), {"'t'", "shape"}},
      {"dimension a fraction", tensor("\"F32\"", "[2.0]", "[0,8]"), {"'t'", "shape"}},
      {"dimension 2^64", tensor("\"F32\"", "[18446744073709551616]", "[0,8]"), {"'t'", "shape"}},
      {"shape of a long text",
       tensor("\"F32\"", "\"" + std::string(1000, 'x') + "\"", "[0,8]"),
       {"found string \"xxx", "..."}},
      {"9 dimensions", tensor("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), {"'t'", "8 dimensions"}},
      {"size overflows", tensor("\"F32\"", "[4294967296,4294967296]", "[0,8]"), {"overflows"}},
      {"size overflows beside 0",
       tensor("\"F32\"", "[0,4294967296,4294967296]", "[0,0]"),
       {"'t'", "overflows"}},
      {"bits overflow", tensor("\"F32\"", "[1152921504606846976]", "[0,0]"), {"'t'", "overflows"}},
      {"unknown type overflows",
       tensor("\"NEW\"", "[4294967296,4294967296]", "[0,8]"),
       {"'t'", "overflows"}},
      {"0 elements of 8 bytes", tensor("\"F32\"", "[0,2]", "[0,8]"), {"'t'", "0 bits", "8 bytes"}},
      {"one offset", tensor("\"F32\"", "[2]", "[8]"), {"'t'", "data_offsets"}},
      {"offsets turned round", tensor("\"F32\"", "[2]", "[8,0]"), {"'t'", "found [8,0]"}},
      {"offsets past the end", tensor("\"F32\"", "[3]", "[0,12]"), {"'t'", "the 8 bytes"}},
      {"size differs", tensor("\"F32\"", "[1]", "[0,8]"), {"'t'", "F32 [1]", "8 bytes"}},
      {"half a byte", tensor("\"F4\"", "[3]", "[0,1]"), {"'t'", "12 bits"}},
      {"metadata no object", file(R"({"__metadata__":1})", 0), {"__metadata__"}},
      {"metadata no string", file(R"({"__metadata__":{"a":1}})", 0), {"__metadata__", "'a'"}},
  });
}

TEST(Safetensors, HolesOverlapsAndRepeatedKeys) {
  const auto two = [](const std::string& a, const std::string& b, const std::string& second) {
    return file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a + R"(},")" + second +
                    R"(":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                8);
  };
  EXPECT_NO_THROW(parse(two("[0,4]", "[4,8]", "b")));
  EXPECT_NO_THROW(parse(two("[4,8]", "[0,4]", "b")));
  const ByteString late = file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", 8);
  const ByteString early = file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 8);
  expect_refused({
      {"same bytes", two("[0,4]", "[0,4]", "b"), {"overlap"}},
      {"overlap by one", two("[0,4]", "[3,7]", "b"), {"'b'", "overlap"}},
      {"hole in front", late, {"'a'", "hole"}},
      {"bytes behind", early, {"end with its last tensor"}},
      {"tensor twice", two("[0,4]", "[4,8]", "a"), {"'a'", "twice"}},
      {"dtype twice",
       file(R"({"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4),
       {"'dtype'", "twice"}},
  });
}

TEST(Safetensors, WritesAKnownHeader) {
  const std::vector<TensorDeclaration> tensors = {
      {"s", Encoding::f32, {1}}, {"w", Encoding::u8, {3, 2}}, {"scalar", Encoding::boolean, {}}};
  const std::string json = R"({"__metadata__":{"format":"pt","x":"\"ü"},)"
                           R"("s":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                           R"("w":{"dtype":"U8","shape":[3,2],"data_offsets":[4,10]},)"
                           R"("scalar":{"dtype":"BOOL","shape":[],"data_offsets":[10,11]}})";
  const std::size_t padding = (8 - json.size() % 8) % 8;
  const auto expected =
      ByteString().u64(json.size() + padding).text(json).text(std::string(padding, ' '));
  EXPECT_EQ(safetensors_header(tensors, {{"x", "\"ü"}, {"format", "pt"}}), expected.bytes());
  EXPECT_EQ(safetensors_header({}, {}), test::hex("08 00*7 7b 7d 20*6"));
}

TEST(Safetensors, RefusesToWriteWhatNoReaderTakes) {
  const auto write = [](const std::vector<TensorDeclaration>& tensors) {
    safetensors_header(tensors, {});
  };
  const TensorDeclaration tensor{"t", Encoding::f32, {4}};
  expect_error<InvalidArgument>([&] { write({tensor, tensor}); }, {"'t'"});
  expect_error<InvalidArgument>([&] { write({{"__metadata__", Encoding::f32, {4}}}); });
  expect_error<InvalidArgument>([&] { write({{"\xff", Encoding::f32, {4}}}); }, {"UTF-8"});
  expect_error<UnsupportedError>([&] { write({{"t", Encoding::tq2_0, {256}}}); }, {"TQ2_0"});
  expect_error<UnsupportedError>([&] { write({{"t", Encoding::other, {256}}}); });
}

TEST(Safetensors, EveryTruncationIsAnErrorAndNoFlipCrashes) {
  const ByteString good = file(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}})",
      8);
  const auto parse_bytes = [](std::span<const std::byte> bytes) { parse(bytes); };
  test::expect_error_at_every_length(good.bytes(), parse_bytes);
  EXPECT_GT(test::flip_every_bit(good.bytes(), parse_bytes), 300U);
}

TEST(SafetensorsIndex, ReadsTheWeightMap) {
  const auto map = parse_safetensors_index(
      R"({"metadata":{"total_size":5},"weight_map":{"a":"x.safetensors","b":"y.safetensors"}})",
      "index.json");
  EXPECT_EQ(map,
            (std::map<std::string, std::string>{{"a", "x.safetensors"}, {"b", "y.safetensors"}}));
}

TEST(SafetensorsIndex, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"\"../x\"", "\"/etc/passwd\"", "\"a/b\"", "\"..\"", "\".\"", "\"\"",
                           "\"a\\\\b\"", "\"a\\u0000b\"", "1", "[[]]"}) {
    expect_error<FormatError>(
        [&] {
          parse_safetensors_index(std::string(R"({"weight_map":{"t":)") + name + "}}",
                                  "index.json");
        },
        {"index.json", "'t'"});
  }
  for (const char* text : {"", "[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{)",
                           R"({"weight_map":{"a":"x","a":"y"}})"}) {
    expect_error<FormatError>([&] { parse_safetensors_index(text, "index.json"); }, {"index.json"});
  }
}

}  // namespace
}  // namespace bitnet
