// SPDX-License-Identifier: MIT
// What every subcommand has in common. Oracle: the conventions that `bitnet --help` and
// cli/main.cpp state: status 2 for a wrong command line, 1 for an error, messages on standard
// error.
#include <gtest/gtest.h>

#include "run_program.h"

namespace bitnet {
namespace {

TEST(Usage, HelpTeachesWithExamples) {
  const ProgramResult help = run_program({"--help"});
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_EQ(help.err, "");
  for (const char* word :
       {"quantize", "inspect", "doctor", "bench", "convert", "verify", "tokenize", "run", "chat",
        "perplexity", "embed", "logits", "merge", "Examples:", "BITNET_ISA", "-o "}) {
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
  }
  for (const char* command : {"quantize", "convert", "inspect", "verify", "tokenize", "run", "chat",
                              "perplexity", "embed", "logits", "merge", "doctor", "bench"}) {
    const ProgramResult result = run_program({command, "--help"});
    EXPECT_EQ(result.exit_status, 0);
    EXPECT_NE(result.out.find(std::string("Examples:\n  bitnet ") + command), std::string::npos);
  }
}

TEST(Usage, VersionIsThatOfTheProject) {
  const ProgramResult result = run_program({"--version"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "bitnet " BITNET_PROJECT_VERSION "\n");
}

TEST(Usage, WrongCommandLinesAreStatusTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"fly"},
      {"quantize"},
      {"quantize", "somewhere"},
      {"quantize", "somewhere", "-o", "out.gguf", "--type", "q17"},
      {"quantize", "somewhere", "-o", "out.gguf", "-t", "0"},
      {"quantize", "somewhere", "-o", "out.gguf", "-t", "many"},
      {"inspect", "--frobnicate"},
      {"bench"}};
  for (const std::vector<std::string>& arguments : wrong) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("bitnet: error: ")) << result.err;
    EXPECT_NE(result.err.find("--help"), std::string::npos) << result.err;
  }
}

TEST(Usage, WrongIsaListsTheValidOnes) {
  const ProgramResult result = run_program({"inspect", "x"}, {{"BITNET_ISA", "sse9"}});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(result.err.starts_with("bitnet: error: ")) << result.err;
  for (const char* name : {"sse9", "scalar", "avx2", "avx512", "neon"}) {
    EXPECT_NE(result.err.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace bitnet
