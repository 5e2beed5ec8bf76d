// SPDX-License-Identifier: MIT
// `bitnet verify`: is this checkpoint what it says, and will programs read it right?
#include <bitnet/error.h>
#include <bitnet/verify_checkpoint.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"

namespace bitnet::cli {
namespace {

struct VerifyOptions {
  std::string input;
  bool strict = false;
  RuntimeOptions runtime;
  bool json = false;
};

/// A file that cannot even be opened has one finding: why.
Verification verify(const std::string& input, const Runtime& runtime) {
  try {
    return verify_checkpoint(open_checkpoint(input), runtime);
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {
    Verification result;
    result.findings.push_back({Severity::error, "structure", input, error.what()});
    return result;
  }
}

void print_text(const VerifyOptions& options, const Verification& result) {
  for (const Finding& finding : result.findings) {
    std::cout << to_string(finding.severity) << ": " << finding.subject << ": " << finding.message
              << " [" << finding.check << "]\n";
  }
  const auto count = [&](Severity severity) {
    return std::count_if(result.findings.begin(), result.findings.end(),
                         [&](const Finding& finding) { return finding.severity == severity; });
  };
  std::cout << options.input << ": " << result.tensors << " tensors read";
  if (result.unread_tensors != 0) {
    std::cout << ", " << result.unread_tensors << " not";
  }
  std::cout << "; " << count(Severity::error) << " errors, " << count(Severity::warning)
            << " warnings, " << count(Severity::note) << " notes\n";
}

void print_json(const VerifyOptions& options, const Verification& result) {
  nlohmann::ordered_json json;
  json["input"] = options.input;
  json["ok"] = !result.has(Severity::error);
  json["tensors"] = result.tensors;
  json["unread_tensors"] = result.unread_tensors;
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : result.findings) {
    json["findings"].push_back({{"severity", to_string(finding.severity)},
                                {"check", finding.check},
                                {"subject", finding.subject},
                                {"message", finding.message}});
  }
  std::cout << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

int run(const VerifyOptions& options) {
  const Runtime runtime(options.runtime);
  const Verification result = verify(options.input, runtime);
  (options.json ? print_json : print_text)(options, result);
  return result.has(options.strict ? Severity::warning : Severity::error) ? 1 : 0;
}

}  // namespace

void add_verify_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("verify", "Check a checkpoint's structure, numbers and metadata");
  command->footer(
      R"(Reads every number: codes that mean nothing, distributions that no trained matrix has, NaN, scales
out of line; and the metadata that loaders need: pre-tokenizer, end tokens, chat template,
activation function. Exit status 1 when there is an error, with --strict also for warnings.

Examples:
  bitnet verify ggml-model-i2_s.gguf
  bitnet verify models/bitnet-2b4t --strict --json)");
  auto options = std::make_shared<VerifyOptions>();
  command->add_option("input", options->input, "GGUF file, .safetensors file or folder")
      ->required()
      ->type_name("FILE|DIR");
  command->add_flag("--strict", options->strict, "Fail on warnings, too");
  add_threads_option(*command, options->runtime);
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
