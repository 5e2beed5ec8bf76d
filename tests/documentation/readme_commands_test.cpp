// SPDX-License-Identifier: MIT
// Oracle: the program's own --help. Every command line that README.md shows names a subcommand and
// options that the program has.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

/// Words of each line of README.md that starts with the program's name, without comments.
std::vector<std::vector<std::string>> documented_commands() {
  std::ifstream readme(BITNET_SOURCE_DIR "/README.md");
  std::vector<std::vector<std::string>> commands;
  for (std::string line; std::getline(readme, line);) {
    if (!line.starts_with("bitnet ")) continue;
    std::istringstream words(line.substr(0, line.find('#')));
    std::vector<std::string>& command = commands.emplace_back();
    for (std::string word; words >> word;) command.push_back(word);
  }
  return commands;
}

struct Result {
  int status;
  std::string output;
};

Result run(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  Result result{-1, {}};
  if (pipe == nullptr) return result;
  std::array<char, 4096> part{};
  for (std::size_t n = 0; (n = fread(part.data(), 1, part.size(), pipe)) > 0;) {
    result.output.append(part.data(), n);
  }
  result.status = pclose(pipe);
  return result;
}

TEST(ReadmeCommands, ExistWithTheirOptions) {
  const auto commands = documented_commands();
  ASSERT_FALSE(commands.empty());
  for (const std::vector<std::string>& words : commands) {
    ASSERT_GE(words.size(), 2U);
    // A program of its own, which is built where libtorch is.
    const std::string own_program = std::string(BITNET_PROGRAM) + "-" + words[1];
    if (words[1].starts_with("train") && !std::filesystem::exists(own_program)) continue;
    const Result help = run("'" BITNET_PROGRAM "' " + words[1] + " --help");
    EXPECT_EQ(help.status, 0) << words[1];
    for (const std::string& word : words) {
      if (word.starts_with('-')) {
        EXPECT_NE(help.output.find(word), std::string::npos) << words[1] << ' ' << word;
      }
    }
  }
}

}  // namespace
