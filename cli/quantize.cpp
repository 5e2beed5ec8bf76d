// SPDX-License-Identifier: MIT
// `bitnet quantize`: a Hugging Face checkpoint in, a ternary GGUF file out.
#include <bitnet/quantize_checkpoint.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"

namespace bitnet::cli {
namespace {

struct QuantizeOptions {
  std::string input;
  std::string output;
  QuantizeCheckpointOptions checkpoint;
  RuntimeOptions runtime;
  bool json = false;
};

struct QuantizeSummary {
  std::size_t ternary_matrices = 0;
  std::size_t kept_tensors = 0;
  double ternary_weights = 0;
  double mean_sparsity = 0;  // over weights
  double worst_sqnr_db = INFINITY;
};

QuantizeSummary summarize(const QuantizeCheckpointReport& report) {
  QuantizeSummary summary;
  double zeros = 0;
  for (const TensorReport& tensor : report.tensors) {
    if (!tensor.ternary) {
      ++summary.kept_tensors;
      continue;
    }
    const auto weights = static_cast<double>(tensor.shape.numel());
    ++summary.ternary_matrices;
    summary.ternary_weights += weights;
    zeros += tensor.sparsity * weights;
    summary.worst_sqnr_db = std::min(summary.worst_sqnr_db, tensor.sqnr_db);
  }
  summary.mean_sparsity = zeros / summary.ternary_weights;
  return summary;
}

std::string format_sqnr(double sqnr_db) {
  return std::isinf(sqnr_db) ? "exact: the input was ternary already"
                             : format_fixed(sqnr_db, 2) + " dB in the worst matrix";
}

void print_text(const QuantizeOptions& options, const QuantizeCheckpointReport& report,
                double seconds) {
  const QuantizeSummary summary = summarize(report);
  std::cout << options.output << ": " << summary.ternary_matrices << " ternary matrices ("
            << format_fixed(summary.ternary_weights / 1e6, 1) << " M weights), "
            << summary.kept_tensors << " tensors kept\n"
            << "size       " << format_bytes(report.input_bytes) << " -> "
            << format_bytes(report.output_bytes) << '\n'
            << "sparsity   " << format_fixed(100 * summary.mean_sparsity, 1)
            << " % of the ternary weights are zero\n"
            << "SQNR       " << format_sqnr(summary.worst_sqnr_db) << '\n'
            << "time       " << format_fixed(seconds, 2) << " s, "
            << format_bytes(static_cast<std::uint64_t>(static_cast<double>(report.input_bytes) /
                                                       std::max(seconds, 1e-9)))
            << "/s\n";
}

void print_json(const QuantizeOptions& options, const QuantizeCheckpointReport& report,
                double seconds) {
  nlohmann::ordered_json json;
  json["output"] = options.output;
  json["input_bytes"] = report.input_bytes;
  json["output_bytes"] = report.output_bytes;
  json["seconds"] = seconds;
  json["tensors"] = nlohmann::ordered_json::array();
  for (const TensorReport& tensor : report.tensors) {
    nlohmann::ordered_json entry;
    entry["name"] = tensor.name;
    entry["source_name"] = tensor.source_name;
    entry["type"] = to_string(tensor.encoding);
    entry["shape"] = tensor.shape.dims();
    if (tensor.ternary) {
      entry["was_ternary"] = tensor.was_ternary;
      entry["scale"] = tensor.scale;
      entry["sparsity"] = tensor.sparsity;
      entry["sqnr_db"] = tensor.sqnr_db;  // null when exact: JSON has no infinity
    }
    json["tensors"].push_back(std::move(entry));
  }
  std::cout << json.dump(2) << '\n';
}

int run(const QuantizeOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Runtime runtime(options.runtime);
  const Checkpoint input = open_checkpoint(options.input);
  QuantizeCheckpointReport report;
  {
    ProgressBar progress("quantizing");
    QuantizeCheckpointOptions checkpoint_options = options.checkpoint;
    checkpoint_options.on_progress = [&](std::uint64_t done, std::uint64_t total) {
      progress.update(done, total);
    };
    report = quantize_checkpoint(input, options.output, checkpoint_options, runtime);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  (options.json ? print_json : print_text)(options, report, elapsed.count());
  return 0;
}

}  // namespace

void add_quantize_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("quantize", "Turn a Hugging Face checkpoint into a ternary GGUF file");
  command->footer(
      R"(The projection matrices become {-1, 0, 1} with one scale each (absmean, as BitNet b1.58 models
define it); matrices that are ternary already keep their codes and scale. Embedding and head stay
as they are. Memory use does not grow with the model.

Without --type each matrix is stored as i2_s, or the smallest of q2_0, q4_0 and f16 that its number
of columns allows.

Examples:
  bitnet quantize models/bitnet-2b4t -o bitnet-2b4t.gguf
  bitnet quantize model.safetensors -o model.gguf      config.json lies beside model.safetensors
  bitnet quantize models/falcon3 -o falcon3.gguf --type tq2_0)");
  static const std::map<std::string, Encoding> types = {
      {"i2_s", Encoding::i2_s}, {"tq1_0", Encoding::tq1_0}, {"tq2_0", Encoding::tq2_0},
      {"q2_0", Encoding::q2_0}, {"q4_0", Encoding::q4_0},   {"f16", Encoding::f16}};
  auto options = std::make_shared<QuantizeOptions>();
  command->add_option("input", options->input, "Folder or .safetensors file")
      ->required()
      ->type_name("DIR|FILE");
  command->add_option("-o,--output", options->output, "GGUF file to write")
      ->required()
      ->type_name("FILE");
  command->add_option("--type", options->checkpoint.ternary_encoding, "Storage of ternary matrices")
      ->transform(CLI::CheckedTransformer(types, CLI::ignore_case))
      ->type_name("TYPE");
  add_threads_option(*command, options->runtime);
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
