// SPDX-License-Identifier: MIT
// open_checkpoint. Oracle: files put together by hand.
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "formats/byte_string.h"
#include "formats/hostile_bytes.h"
#include "formats/resident_bytes.h"
#include "formats/temporary_folder.h"

namespace bitnet {
namespace {

using test::ByteString;
using test::expect_error;
using test::TemporaryFolder;

/// One tensor of 2 bytes.
std::vector<std::byte> safetensors(const std::string& name, const std::string& bytes) {
  const std::string header = R"({"__metadata__":{"from":")" + name + R"("},")" + name +
                             R"(":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  return ByteString().u64(header.size()).text(header).text(bytes).bytes();
}

std::vector<std::byte> gguf() {
  return ByteString()
      .text("GGUF")
      .u32(3)
      .u64(1)
      .u64(1)
      .string("answer")
      .u32(4)
      .u32(42)
      .string("t")
      .u32(1)
      .u64(4)
      .u32(24)
      .u64(0)
      .pad_to(32)
      .text("abcd")
      .pad_to(32)
      .bytes();
}

std::string text_of(const StoredTensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()};
}

TEST(OpenCheckpoint, ASafetensorsFileUnderAnyName) {
  const TemporaryFolder folder;
  const auto path = folder.write("weights.bin", safetensors("a", "xy"));
  folder.write("config.json", "{\"x\": 1, \"x\": 2}\n");
  Checkpoint opened = open_checkpoint(path);
  const Checkpoint checkpoint = std::move(opened);
  EXPECT_EQ(checkpoint.format(), Checkpoint::Format::safetensors);
  EXPECT_EQ(checkpoint.path(), path);
  EXPECT_EQ(checkpoint.config_json(), "{\"x\": 1, \"x\": 2}\n");
  EXPECT_EQ(std::get<std::string>(checkpoint.metadata().at("from")), "a");
  ASSERT_NE(checkpoint.find("a"), nullptr);
  EXPECT_EQ(checkpoint.find("a"), &checkpoint.tensors()[0]);
  EXPECT_EQ(checkpoint.find("b"), nullptr);
  EXPECT_EQ(text_of(*checkpoint.find("a")), "xy");
  EXPECT_EQ(checkpoint.find("a")->file, path);
  EXPECT_TRUE(checkpoint.warnings().empty());
}

TEST(OpenCheckpoint, AGgufFileUnderAnyName) {
  const TemporaryFolder folder;
  const Checkpoint checkpoint = open_checkpoint(folder.write("weights.safetensors", gguf()));
  EXPECT_EQ(checkpoint.format(), Checkpoint::Format::gguf);
  EXPECT_EQ(std::get<std::uint64_t>(checkpoint.metadata().at("answer")), 42U);
  EXPECT_EQ(text_of(*checkpoint.find("t")), "abcd");
  EXPECT_EQ(checkpoint.config_json(), "");
}

TEST(OpenCheckpoint, AFolderWithOneFile) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", safetensors("a", "xy"));
  const Checkpoint checkpoint = open_checkpoint(folder.path());
  EXPECT_EQ(checkpoint.tensors().size(), 1U);
  EXPECT_EQ(checkpoint.config_json(), "");
}

constexpr const char* kIndexName = "model.safetensors.index.json";

TEST(OpenCheckpoint, AShardedFolder) {
  const TemporaryFolder folder;
  folder.write(kIndexName, R"({"weight_map":{"b":"1.safetensors","a":"2.safetensors"}})");
  folder.write("1.safetensors", safetensors("b", "12"));
  folder.write("2.safetensors", safetensors("a", "34"));
  folder.write("config.json", "{}");
  const Checkpoint checkpoint = open_checkpoint(folder.path());
  ASSERT_EQ(checkpoint.tensors().size(), 2U);
  EXPECT_EQ(text_of(*checkpoint.find("b")), "12");
  EXPECT_EQ(text_of(*checkpoint.find("a")), "34");
  EXPECT_EQ(checkpoint.find("a")->file, folder / "2.safetensors");
  EXPECT_EQ(checkpoint.config_json(), "{}");
}

TEST(OpenCheckpoint, AnIndexThatDisagreesWithItsShardsIsRefused) {
  const TemporaryFolder folder;
  folder.write("1.safetensors", safetensors("b", "12"));
  folder.write("2.safetensors", safetensors("a", "34"));
  const auto open_with = [&](const std::string& weight_map) {
    folder.write(kIndexName, R"({"weight_map":)" + weight_map + "}");
    open_checkpoint(folder.path());
  };
  const std::string both = R"("a":"2.safetensors","b":"1.safetensors")";
  EXPECT_NO_THROW(open_with("{" + both + "}"));
  expect_error<FormatError>([&] { open_with("{" + both + R"(,"c":"1.safetensors"})"); },
                            {"'c'", "1.safetensors", kIndexName});
  expect_error<FormatError>([&] { open_with(R"({"c":"1.safetensors"})"); }, {"'b'"});
  expect_error<FormatError>([&] { open_with(R"({"a":"1.safetensors","b":"2.safetensors"})"); },
                            {"lies in"});
  expect_error<FormatError>([&] { open_with(R"({"a":"../2.safetensors"})"); }, {"same folder"});
  expect_error<IoError>([&] { open_with("{" + both + R"(,"c":"3.safetensors"})"); },
                        {"3.safetensors", "No such file"});
}

TEST(OpenCheckpoint, WhatIsNoCheckpointIsRefused) {
  const TemporaryFolder folder;
  expect_error<IoError>([&] { open_checkpoint(folder / "absent"); }, {"absent"});
  expect_error<IoError>([&] { open_checkpoint(folder.path()); }, {"model.safetensors"});
  expect_error<FormatError>([&] { open_checkpoint(folder.write("empty", "")); }, {"empty"});
  expect_error<FormatError>(
      [&] { open_checkpoint(folder.write("text", "some text, rather long")); },
      {"text", "GGUF", "byte 8"});
}

TEST(OpenCheckpoint, AHugeConfigIsRefused) {
  const TemporaryFolder folder;
  const auto path = folder.write("model.safetensors", safetensors("a", "xy"));
  folder.write("config.json", std::string((16U << 20) + 1, ' '));
  expect_error<FormatError>([&] { open_checkpoint(path); }, {"config.json"});
}

TEST(OpenCheckpoint, KeepsTheWarningsOfAFile) {
  const TemporaryFolder folder;
  auto bytes = gguf();
  EXPECT_TRUE(open_checkpoint(folder.write("good", bytes)).warnings().empty());
  bytes.resize(bytes.size() + 5);
  const auto path = folder.write("long", bytes);
  EXPECT_EQ(
      open_checkpoint(path).warnings(),
      std::vector<std::string>{path.string() + ": 5 bytes behind the last tensor, from byte 128"});
}

/// Two shards, each one tensor of `size` bytes named after its file.
void write_large_shards(const TemporaryFolder& folder, std::size_t size) {
  folder.write(kIndexName, R"({"weight_map":{"a":"a","b":"b"}})");
  for (const std::string name : {"a", "b"}) {
    const std::string text = std::to_string(size);
    const std::string header = "{\"" + name + R"(":{"dtype":"U8","shape":[)" + text +
                               R"(],"data_offsets":[0,)" + text + "]}}";
    folder.write(
        name,
        ByteString().u64(header.size()).text(header).text(std::string(size, name[0])).bytes());
  }
}

// Oracle: the system's list of a mapping's pages in memory. Released pages leave it (the page cache
// holds them on), and reading brings them back.
TEST(Checkpoint, ReleasesAndFetchesRangesOfATensor) {
  constexpr std::size_t kSize = 1U << 20;
  const TemporaryFolder folder;
  write_large_shards(folder, kSize);
  const Checkpoint checkpoint = open_checkpoint(folder.path());
  const auto a = checkpoint.find("a")->bytes;
  const auto b = checkpoint.find("b")->bytes;
  const auto is_letter = [](std::byte byte) { return byte == std::byte{'a'}; };
  ASSERT_EQ(static_cast<std::size_t>(std::count_if(a.begin(), a.end(), is_letter)), kSize);
  const std::size_t before = test::resident_bytes_of(a);
  EXPECT_GE(before, kSize);

  checkpoint.release(a.subspan(kSize / 2));
  EXPECT_LE(test::resident_bytes_of(a), before - kSize / 4);
  EXPECT_GE(test::resident_bytes_of(a), kSize / 4);
  checkpoint.release(*checkpoint.find("a"));
  EXPECT_LE(test::resident_bytes_of(a), kSize / 8);

  checkpoint.populate(a);
  checkpoint.populate(b.subspan(100, 1));
  checkpoint.release(std::span<const std::byte>());
  EXPECT_EQ(static_cast<std::size_t>(std::count_if(a.begin(), a.end(), is_letter)), kSize);
  EXPECT_EQ(std::count_if(b.begin(), b.end(), is_letter), 0);
}

}  // namespace
}  // namespace bitnet
