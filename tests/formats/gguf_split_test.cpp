// SPDX-License-Identifier: MIT
// GGUF models in several files. Oracle: files put together by hand.
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include "formats/byte_string.h"
#include "formats/hostile_bytes.h"
#include "formats/temporary_folder.h"

namespace bitnet {
namespace {

using test::ByteString;
using test::expect_error;
using test::TemporaryFolder;

struct Part {
  std::uint16_t number;
  std::uint16_t count;
  std::int32_t tensors_of_all;
  std::vector<std::string> tensors;  ///< of 4 bytes: the name four times
};

ByteString part_file(const Part& part) {
  ByteString file;
  file.text("GGUF").u32(3).u64(part.tensors.size()).u64(4);
  file.string("split.no").u32(2).number(part.number);
  file.string("split.count").u32(2).number(part.count);
  file.string("split.tensors.count").u32(5).number(part.tensors_of_all);
  file.string("own").u32(4).u32(part.number);
  for (std::size_t i = 0; i < part.tensors.size(); ++i) {
    file.string(part.tensors[i]).u32(1).u64(4).u32(24).u64(32 * i);
  }
  file.pad_to(32);
  for (const std::string& name : part.tensors) {
    file.text(std::string(4, name[0])).pad_to(32);
  }
  return file;
}

const std::string kNames[] = {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf",
                              "m-00003-of-00003.gguf"};

/// Part 0 holds no tensor, as when llama.cpp splits with the metadata apart.
TemporaryFolder& write_model(TemporaryFolder& folder) {
  folder.write(kNames[0], part_file({0, 3, 3, {}}).bytes());
  folder.write(kNames[1], part_file({1, 3, 3, {"b", "a"}}).bytes());
  folder.write(kNames[2], part_file({2, 3, 3, {"c"}}).bytes());
  return folder;
}

TEST(GgufSplit, AnyPartOpensAll) {
  TemporaryFolder folder;
  write_model(folder);
  for (const std::string& name : kNames) {
    const Checkpoint checkpoint = open_checkpoint(folder / name);
    EXPECT_EQ(checkpoint.format(), Checkpoint::Format::gguf);
    EXPECT_EQ(checkpoint.path(), folder / name);
    EXPECT_EQ(std::get<std::uint64_t>(checkpoint.metadata().at("own")), 0U);
    ASSERT_EQ(checkpoint.tensors().size(), 3U);
    for (const std::string tensor : {"a", "b", "c"}) {
      const StoredTensor* const found = checkpoint.find(tensor);
      ASSERT_NE(found, nullptr) << tensor;
      EXPECT_EQ(found->bytes[3], static_cast<std::byte>(tensor[0]));
      EXPECT_EQ(found->file, folder / kNames[tensor == "c" ? 2 : 1]);
    }
    EXPECT_TRUE(checkpoint.warnings().empty());
  }
}

TEST(GgufSplit, WarningsOfEveryPartAreKept) {
  TemporaryFolder folder;
  write_model(folder);
  folder.write(kNames[0], part_file({0, 3, 3, {}}).zeros(1).bytes());
  folder.write(kNames[2], part_file({2, 3, 3, {"c"}}).zeros(2).bytes());
  const auto warnings = open_checkpoint(folder / kNames[1]).warnings();
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_TRUE(warnings[0].starts_with((folder / kNames[0]).string() + ": 1 bytes"));
  EXPECT_TRUE(warnings[1].starts_with((folder / kNames[2]).string() + ": 2 bytes"));
}

TEST(GgufSplit, ACountOfOneIsAWholeFileUnderAnyName) {
  const TemporaryFolder folder;
  const auto path = folder.write("any", part_file({0, 1, 1, {"a"}}).bytes());
  EXPECT_EQ(open_checkpoint(path).tensors().size(), 1U);
}

TEST(GgufSplit, AMissingPartIsNamed) {
  TemporaryFolder folder;
  write_model(folder);
  std::filesystem::remove(folder / kNames[1]);
  for (const std::string& opened : {kNames[0], kNames[2]}) {
    expect_error<IoError>([&] { open_checkpoint(folder / opened); },
                          {(folder / kNames[1]).string() + ": expected part 2 of 3", opened});
  }
}

TEST(GgufSplit, PartsThatDisagreeAreRefused) {
  TemporaryFolder folder;
  const auto open_with = [&](std::size_t replaced, const ByteString& file) {
    write_model(folder).write(kNames[replaced], file.bytes());
    open_checkpoint(folder / kNames[0]);
  };
  const auto whole = ByteString().text("GGUF").u32(3).u64(0).u64(0);
  const auto expect_refused = [&](std::size_t replaced, const ByteString& file,
                                  std::vector<std::string> words) {
    words.push_back(kNames[replaced]);
    expect_error<FormatError>([&] { open_with(replaced, file); }, words);
  };
  expect_refused(0, part_file({1, 3, 3, {}}), {"split.no", "part 1 of 3", "-00002-of-00003.gguf"});
  expect_refused(1, part_file({2, 3, 3, {"a", "b"}}), {"part 2 of 3", "-00003-of-00003.gguf"});
  expect_refused(1, part_file({1, 4, 3, {"a", "b"}}), {"part 1 of 4", "-00002-of-00004.gguf"});
  expect_refused(1, part_file({3, 3, 3, {"a", "b"}}), {"part 3 of 3", "below a count"});
  expect_refused(1, part_file({0, 0, 3, {"a", "b"}}), {"part 0 of 0", "below a count"});
  expect_refused(1, part_file({0, 1, 3, {"a", "b"}}), {"split.count", "whole file"});
  expect_refused(1, whole, {"split.count", "expected 3", "whole file"});
  expect_refused(2, part_file({2, 3, 3, {"a"}}), {"'a'", "one part", kNames[1]});
  expect_refused(2, part_file({2, 3, 4, {"c"}}), {"split.tensors.count", "expected 3", "found 4"});
  expect_refused(0, part_file({0, 3, 2, {}}), {"split.tensors.count", "expected 3", "found 2"});
  expect_refused(0, part_file({0, 3, -1, {}}), {"split.tensors.count", "negative"});
}

TEST(GgufSplit, KeysOfAnotherTypeAreRefused) {
  const TemporaryFolder folder;
  const auto open = [&](const ByteString& file) {
    open_checkpoint(folder.write("m-00001-of-00002.gguf", file.bytes()));
  };
  const auto header = [](std::uint64_t keys) {
    return ByteString().text("GGUF").u32(3).u64(0).u64(keys);
  };
  expect_error<FormatError>([&] { open(header(1).string("split.count").u32(8).string("2")); },
                            {"m-00001-of-00002.gguf", "'split.count'", "integer"});
  expect_error<FormatError>([&] { open(header(1).string("split.count").u32(4).u32(2)); },
                            {"'split.no'", "no part of 2"});
  expect_error<FormatError>([&] { open(header(1).string("split.count").u32(4).u32(65536)); },
                            {"1..65535", "65536"});
}

}  // namespace
}  // namespace bitnet
