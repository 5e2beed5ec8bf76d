// SPDX-License-Identifier: MIT
// MappedFile and OutputFile. Oracle: the standard library's streams and directory listings.
#include <bitnet/error.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/mapped_file.h"
#include "base/output_file.h"
#include "formats/hostile_bytes.h"
#include "formats/resident_bytes.h"
#include "formats/temporary_folder.h"

namespace bitnet {
namespace {

using test::expect_error;
using test::read_file;
using test::TemporaryFolder;

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  }
  return bytes;
}

std::vector<std::byte> copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(MappedFile, HoldsTheBytesOfTheFileAndSurvivesMoves) {
  const TemporaryFolder folder;
  const auto bytes = pattern(100'001);
  MappedFile first(folder.write("a", bytes));
  MappedFile second(std::move(first));
  MappedFile third(folder.write("b", pattern(3)));
  third = std::move(second);
  EXPECT_EQ(copy(third.bytes()), bytes);
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  const TemporaryFolder folder;
  const MappedFile file(folder.write("empty", ""));
  EXPECT_TRUE(file.bytes().empty());
  file.release(0, 10);
}

TEST(MappedFile, ReleasedPagesReadTheSameAgain) {
  const TemporaryFolder folder;
  const auto bytes = pattern(1 << 20);
  const MappedFile file(folder.write("a", bytes));
  EXPECT_EQ(copy(file.bytes()), bytes);
  file.release(1, bytes.size());
  file.release(bytes.size() + 5, std::size_t(-1));
  file.release(100, 200);
  EXPECT_EQ(copy(file.bytes()), bytes);
}

TEST(MappedFile, ReleaseShrinksTheResidentSet) {
  constexpr std::size_t kSize = 32U << 20;
  const TemporaryFolder folder;
  const MappedFile file(folder.write("a", pattern(kSize)));
  const auto is_set = [](std::byte byte) { return byte != std::byte{0}; };
  EXPECT_GT(std::count_if(file.bytes().begin(), file.bytes().end(), is_set), 0);
  EXPECT_EQ(test::resident_bytes_of(file.bytes()), kSize);
  file.release(0, kSize);
  EXPECT_LT(test::resident_bytes_of(file.bytes()), kSize / 2);
}

TEST(MappedFile, WillNeedTakesAnyRange) {
  const TemporaryFolder folder;
  const auto bytes = pattern(100'001);
  const MappedFile file(folder.write("a", bytes));
  file.populate(0, bytes.size());
  file.populate(5000, 1);
  file.populate(bytes.size() + 5, std::size_t(-1));
  EXPECT_EQ(copy(file.bytes()), bytes);
  MappedFile(folder.write("empty", "")).populate(0, 10);
}

TEST(MappedFile, ErrorsNameThePathAndTheReason) {
  const TemporaryFolder folder;
  expect_error<IoError>([&] { MappedFile(folder / "absent"); }, {"absent", "No such file"});
  expect_error<IoError>([&] { MappedFile(folder.path()); }, {folder.path(), "regular file"});
}

TEST(OutputFile, AppearsOnlyWithCommit) {
  const TemporaryFolder folder;
  const auto small = pattern(1000);
  const auto large = pattern(3 << 20);
  {
    OutputFile file(folder / "out");
    file.append(small);
    file.append(large);
    file.append(small);
    EXPECT_EQ(file.offset(), 2 * small.size() + large.size());
    EXPECT_FALSE(std::filesystem::exists(folder / "out"));
    file.commit();
  }
  auto expected = small;
  expected.insert(expected.end(), large.begin(), large.end());
  expected.insert(expected.end(), small.begin(), small.end());
  EXPECT_EQ(read_file(folder / "out"), expected);
  EXPECT_EQ(folder.count(), 1U);
}

TEST(OutputFile, WithoutCommitTheOldFileStaysAndNothingIsLeft) {
  const TemporaryFolder folder;
  folder.write("out", "old");
  {
    OutputFile file(folder / "out");
    file.append(pattern(2 << 20));
  }
  EXPECT_EQ(read_file(folder / "out").size(), 3U);
  EXPECT_EQ(folder.count(), 1U);
}

TEST(OutputFile, CommitReplacesTheOldFile) {
  const TemporaryFolder folder;
  folder.write("out", "old and longer");
  OutputFile file(folder / "out");
  file.append(pattern(2));
  file.commit();
  EXPECT_EQ(read_file(folder / "out"), pattern(2));
}

/// A file size limit makes write() short, then fail, as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{bytes, old_limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_limit_{};
  void (*old_handler_)(int);
};

TEST(OutputFile, AFullDiskIsAnIoErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  const FileSizeLimit limit(1'500'000);
  expect_error<IoError>(
      [&] {
        OutputFile file(folder / "out");
        file.append(pattern(4 << 20));
        file.commit();
      },
      {"out", "cannot write"});
  EXPECT_EQ(folder.count(), 0U);
}

// What fits the buffer meets the full disk only in commit().
TEST(OutputFile, AFullDiskInCommitKeepsTheOldFile) {
  const TemporaryFolder folder;
  folder.write("out", "old");
  const FileSizeLimit limit(1000);
  expect_error<IoError>(
      [&] {
        OutputFile file(folder / "out");
        file.append(pattern(1001));
        file.commit();
      },
      {"out", "cannot write", std::strerror(EFBIG)});
  EXPECT_EQ(read_file(folder / "out").size(), 3U);
  EXPECT_EQ(folder.count(), 1U);
}

/// Writes without commit in a process of its own, which is killed while the file is open.
void write_and_be_killed(const std::filesystem::path& path) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    OutputFile file(path);
    file.append(pattern(3 << 20));
    file.append(pattern(10));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(OutputFile, AKilledWriterLeavesTheTargetAsItWas) {
  const TemporaryFolder folder;
  folder.write("old", "old");
  write_and_be_killed(folder / "new");
  write_and_be_killed(folder / "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  EXPECT_EQ(read_file(folder / "old").size(), 3U);
  EXPECT_EQ(folder.count(), 3U);  // the two temporaries, which no later writer trips over

  OutputFile file(folder / "new");
  file.append(pattern(5));
  file.commit();
  EXPECT_EQ(read_file(folder / "new"), pattern(5));
}

TEST(OutputFile, ATemporaryLeftUnderOurNameIsSteppedOver) {
  const TemporaryFolder folder;
  const std::string taken = "out.tmp-" + std::to_string(::getpid()) + "-0";
  folder.write(taken, "left by a crash");
  OutputFile file(folder / "out");
  file.append(pattern(5));
  file.commit();
  EXPECT_EQ(read_file(folder / "out"), pattern(5));
  EXPECT_EQ(read_file(folder / taken).size(), 15U);
}

TEST(OutputFile, AFolderThatIsNotThereIsAnIoError) {
  const TemporaryFolder folder;
  expect_error<IoError>([&] { OutputFile(folder / "no" / "out"); }, {"no/out", "No such file"});
}

TEST(OutputFile, DevicesAndFoldersAreNotReplaced) {
  const TemporaryFolder folder;
  expect_error<IoError>([&] { OutputFile{folder.path()}; }, {"regular file"});
  expect_error<IoError>([&] { OutputFile{"/dev/full"}; }, {"/dev/full", "regular file"});
}

}  // namespace
}  // namespace bitnet
