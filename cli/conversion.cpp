// SPDX-License-Identifier: MIT
#include "conversion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "merge_report.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;
using Verdict = LoaderAdvice::Verdict;

struct Summary {
  std::size_t ternary_matrices = 0;
  std::size_t ternarized = 0;  // of them, from floats
  std::size_t other_tensors = 0;
  double ternary_weights = 0;
  double sparsity = 0;  // over ternary weights
  double worst_sqnr_db = INFINITY;
};

Summary summarize(const ConversionReport& report) {
  Summary summary;
  double zeros = 0;
  for (const TensorReport& tensor : report.tensors) {
    if (!tensor.ternary) {
      ++summary.other_tensors;
      continue;
    }
    const auto weights = static_cast<double>(tensor.shape.numel());
    ++summary.ternary_matrices;
    summary.ternarized += tensor.was_ternary ? 0 : 1;
    summary.ternary_weights += weights;
    zeros += tensor.sparsity * weights;
    summary.worst_sqnr_db = std::min(summary.worst_sqnr_db, tensor.sqnr_db);
  }
  summary.sparsity = zeros / std::max(1.0, summary.ternary_weights);
  return summary;
}

const char* text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::loads:
      return "loads it";
    case Verdict::loads_after_repacking:
      return "loads it after repacking";
    case Verdict::computes_wrong_results:
      return "WRONG RESULTS";
    case Verdict::refuses:
      return "cannot load it";
  }
  return "";
}

const char* key_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::loads:
      return "loads";
    case Verdict::loads_after_repacking:
      return "loads_after_repacking";
    case Verdict::computes_wrong_results:
      return "computes_wrong_results";
    case Verdict::refuses:
      return "refuses";
  }
  return "";
}

void print_text(const ConversionCommand& conversion, const ConversionReport& report,
                double seconds) {
  const Summary summary = summarize(report);
  std::cout << conversion.output << ": " << report.architecture << ", " << summary.ternary_matrices
            << " ternary matrices (" << format_fixed(summary.ternary_weights / 1e6, 1)
            << " M weights), " << summary.other_tensors << " other tensors\n"
            << "size       " << format_bytes(report.input_bytes) << " -> "
            << format_bytes(report.output_bytes) << '\n';
  if (summary.ternary_matrices != 0) {
    std::cout << "sparsity   " << format_fixed(100 * summary.sparsity, 1)
              << " % of the ternary weights are zero\n"
              << "codes      ";
    if (summary.ternarized == 0) {
      std::cout << "exact: the input was ternary already\n";
    } else {
      std::cout << summary.ternarized << " matrices ternarized, SQNR "
                << format_fixed(summary.worst_sqnr_db, 2) << " dB in the worst\n";
    }
  }
  std::cout << "time       " << format_fixed(seconds, 2) << " s, "
            << format_bytes(static_cast<std::uint64_t>(static_cast<double>(report.input_bytes) /
                                                       std::max(seconds, 1e-9)))
            << "/s\n";
  for (const std::string& note : report.notes) {
    std::cout << "note       " << note << '\n';
  }
  for (const LoaderAdvice& advice : report.loaders) {
    std::string name(to_string(advice.program));
    std::cout << name << std::string(name.size() < 13 ? 13 - name.size() : 1, ' ')
              << text_of(advice.verdict) << ": " << advice.how << '\n';
  }
  print_merge_losses(report, std::cout);
}

Json to_json(const TensorReport& tensor) {
  Json entry;
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
  if (tensor.merge_loss) {
    entry["merge_loss"] = merge_loss_json(*tensor.merge_loss);
  }
  return entry;
}

void print_json(const ConversionCommand& conversion, const ConversionReport& report,
                double seconds) {
  Json json;
  json["output"] = conversion.output;
  json["architecture"] = report.architecture;
  json["input_bytes"] = report.input_bytes;
  json["output_bytes"] = report.output_bytes;
  json["seconds"] = seconds;
  json["notes"] = report.notes;
  json["loaders"] = Json::array();
  for (const LoaderAdvice& advice : report.loaders) {
    json["loaders"].push_back({{"program", to_string(advice.program)},
                               {"verdict", key_of(advice.verdict)},
                               {"how", advice.how}});
  }
  if (!conversion.lora.empty()) {
    json["merge_loss"] = merge_loss_json(total_merge_loss(report));
  }
  json["tensors"] = Json::array();
  for (const TensorReport& tensor : report.tensors) {
    json["tensors"].push_back(to_json(tensor));
  }
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

const std::map<std::string, Encoding> kFloatTypes = {
    {"f32", Encoding::f32},   {"f16", Encoding::f16},   {"bf16", Encoding::bf16},
    {"q8_0", Encoding::q8_0}, {"q6_k", Encoding::q6_k}, {"q4_k", Encoding::q4_k},
    {"q4_0", Encoding::q4_0}};

}  // namespace

void add_type_option(CLI::App& command, ConversionCommand& conversion) {
  static const std::map<std::string, Encoding> types = [] {
    std::map<std::string, Encoding> all = kFloatTypes;
    all.insert({{"i2_s", Encoding::i2_s},
                {"tq1_0", Encoding::tq1_0},
                {"tq2_0", Encoding::tq2_0},
                {"q2_0", Encoding::q2_0},
                {"packed", Encoding::u8}});
    return all;
  }();
  command
      .add_option("--type", conversion.options.matrix_encoding, "Storage of the weight matrices")
      ->transform(CLI::CheckedTransformer(types, CLI::ignore_case))
      ->type_name("TYPE");
}

void add_conversion_options(CLI::App& command, ConversionCommand& conversion) {
  static const std::map<std::string, TargetProgram> programs = {
      {"llama.cpp", TargetProgram::llama_cpp},
      {"ik_llama.cpp", TargetProgram::ik_llama_cpp},
      {"bitnet.cpp", TargetProgram::bitnet_cpp},
      {"transformers", TargetProgram::transformers}};
  static const std::map<std::string, ScalePlacement> placements = {
      {"tensor", ScalePlacement::tensor},
      {"block", ScalePlacement::block},
      {"rounded", ScalePlacement::rounded}};
  static const std::map<std::string, Encoding> layouts = {
      {"128", Encoding::i2_s}, {"64", Encoding::i2_s_64}, {"rows4", Encoding::i2_s_rows4}};
  ConversionOptions& options = conversion.options;
  command.add_option("input", conversion.input, "GGUF file, .safetensors file or folder")
      ->required()
      ->type_name("FILE|DIR");
  command.add_option("-o,--output", conversion.output, "GGUF file or safetensors folder to write")
      ->required()
      ->type_name("FILE|DIR");
  command
      .add_option("--embedding-type", options.embedding_encoding,
                  "Storage of embedding and head (default: as stored)")
      ->transform(CLI::CheckedTransformer(kFloatTypes, CLI::ignore_case))
      ->type_name("TYPE");
  command.add_option("--for", options.program, "Choose types and names that this program loads")
      ->transform(CLI::CheckedTransformer(programs, CLI::ignore_case))
      ->type_name("PROGRAM");
  command
      .add_option("--scales", options.scales,
                  "Where scales go if the type has no place for them: tensor (exact, default), "
                  "block (refused unless exact), rounded")
      ->transform(CLI::CheckedTransformer(placements, CLI::ignore_case))
      ->type_name("PLACE");
  command.add_flag_callback(
      "--keep-latents", [&options] { options.ternarize = false; },
      "Keep float weights floats, although the model is ternary");
  command
      .add_option("--arch", options.architecture,
                  "GGUF architecture name: bitnet or bitnet-b1.58, for BitNet models")
      ->type_name("NAME");
  command
      .add_option("--hidden-act", options.hidden_act,
                  "Activation function of a GGUF input that does not say it: relu2 or silu")
      ->type_name("NAME");
  command
      .add_option("--linear-class", options.linear_class,
                  "How packed input scales are meant: bitlinear (divide) or autobitlinear "
                  "(multiply)")
      ->type_name("CLASS");
  command
      .add_option("--i2s-layout", options.i2_s_layout,
                  "Layout of an I2_S input: 128 (official), 64 (Arm builds), rows4")
      ->transform(CLI::CheckedTransformer(layouts, CLI::ignore_case))
      ->type_name("LAYOUT");
  command
      .add_option("--pre", options.pre_tokenizer,
                  "Name of the pre-tokenizer, when tokenizer.json has an unknown one")
      ->type_name("NAME");
  add_threads_option(command, conversion.runtime);
  add_json_option(command, conversion.json);
}

int run_conversion(const ConversionCommand& conversion) {
  const auto start = std::chrono::steady_clock::now();
  const Runtime runtime(conversion.runtime);
  const Checkpoint input = open_checkpoint(conversion.input);
  ConversionReport report;
  {
    ProgressBar progress(conversion.progress_label);
    ConversionOptions options = conversion.options;
    options.lora = load_lora_files(conversion.lora);
    options.on_progress = [&](std::uint64_t done, std::uint64_t total) {
      progress.update(done, total);
    };
    report = convert_checkpoint(input, conversion.output, options, runtime);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  (conversion.json ? print_json : print_text)(conversion, report, elapsed.count());
  return 0;
}

}  // namespace bitnet::cli
