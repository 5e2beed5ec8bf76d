// SPDX-License-Identifier: MIT
// `bitnet train`, `bitnet train-tokenizer`: programs of their own beside this one, which never
// loads the libraries that training needs.
#include <bitnet/error.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "command.h"

namespace bitnet::cli {
namespace {

namespace fs = std::filesystem;

/// Becomes the program of that name in this program's folder.
int become(const std::string& name, std::vector<std::string> arguments) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / name;
  if (!fs::exists(program)) {
    throw UnsupportedError(program.string() +
                           ": no such program: it is built where libtorch and SentencePiece are "
                           "installed (Debian: libtorch-dev, libsentencepiece-dev)");
  }
  arguments.insert(arguments.begin(), program.string());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) {
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  execv(program.c_str(), pointers.data());
  throw IoError(program.string() + ": cannot be started: " + std::strerror(errno));
}

void add_program(CLI::App& app, Command& chosen, const char* name, const char* what) {
  CLI::App* const command = app.add_subcommand(name, what);
  command->prefix_command();  // all that follows is the program's, --help as well
  command->set_help_flag();
  command->callback([command, name, &chosen] {
    chosen = [command, name] {
      return become(std::string("bitnet-") + name, command->remaining());
    };
  });
}

}  // namespace

void add_train_commands(CLI::App& app, Command& chosen) {
  add_program(app, chosen, "train", "Train a ternary model on texts");
  add_program(app, chosen, "train-tokenizer", "Make a tokenizer from texts");
}

}  // namespace bitnet::cli
