// SPDX-License-Identifier: MIT
#include "run_program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "model/tiny_model.h"

namespace bitnet {
namespace {

/// BITNET_PROGRAM: an emulator with its arguments or nothing, then the program,
/// separated by bars.
std::vector<std::string> program() {
  std::vector<std::string> words;
  std::istringstream text(BITNET_PROGRAM);
  for (std::string word; std::getline(text, word, '|');) {
    if (!word.empty()) {
      words.push_back(word);
    }
  }
  return words;
}

void redirect(int descriptor, const std::filesystem::path& path, int flags) {
  const int file = open(path.c_str(), flags, 0600);
  dup2(file, descriptor);
  close(file);
}

[[noreturn]] void execute(std::vector<std::string> words,
                          const std::map<std::string, std::string>& environment,
                          const std::filesystem::path& folder) {
  redirect(STDIN_FILENO, folder / "in", O_RDONLY);
  redirect(STDOUT_FILENO, folder / "out", O_WRONLY | O_CREAT | O_TRUNC);
  redirect(STDERR_FILENO, folder / "err", O_WRONLY | O_CREAT | O_TRUNC);
  unsetenv("BITNET_ISA");
  for (const auto& [name, value] : environment) {
    setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment,
                          const std::string& input) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "in") << input;
  std::vector<std::string> words = program();
  words.insert(words.end(), arguments.begin(), arguments.end());
  const pid_t child = fork();
  if (child == 0) {
    execute(words, environment, folder.path());
  }
  int status = 0;
  rusage usage{};
  if (child < 0 || wait4(child, &status, 0, &usage) != child) {
    throw std::runtime_error("cannot run " + words.front());
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_bytes(folder.path() / "out"),
          read_bytes(folder.path() / "err"), usage.ru_maxrss};
}

bool measures_memory() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return false;
#endif
#endif
  return program().size() == 1;
}

}  // namespace bitnet
