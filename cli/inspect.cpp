// SPDX-License-Identifier: MIT
// `bitnet inspect`: metadata and tensors of a checkpoint of either format.
#include <bitnet/checkpoint.h>
#include <bitnet/inspect_checkpoint.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <variant>

#include "base/output_file.h"
#include "command.h"
#include "html_report.h"
#include "text_table.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectArguments {
  std::string input;
  std::string source;
  std::string html;
  RuntimeOptions runtime;
  bool json = false;
  bool histograms = false;
};

Json to_json(const MetadataValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

Json to_json(const ValueStatistics& values) {
  Json json;
  json["count"] = values.count;
  json["nan"] = values.nans;
  json["infinite"] = values.infinities;
  json["negative"] = values.negatives;
  json["zero"] = values.zeros;
  json["positive"] = values.positives;
  json["min"] = values.min;
  json["max"] = values.max;
  json["mean"] = values.mean;
  json["absmean"] = values.absmean;
  json["standard_deviation"] = values.standard_deviation;
  json["histogram"] = {{"start", values.histogram.start},
                       {"width", values.histogram.width},
                       {"counts", values.histogram.counts}};
  return json;
}

Json to_json(const TensorInspection& tensor) {
  Json json;
  json["name"] = tensor.name;
  json["type"] = tensor.type_name;
  json["shape"] = tensor.shape.dims();
  json["bytes"] = tensor.bytes;
  if (tensor.ternary) {
    json["scale"] = tensor.ternary->scale ? Json(*tensor.ternary->scale) : Json(nullptr);
    json["sparsity"] = tensor.ternary->sparsity;
    if (tensor.ternary->sqnr_db) {
      json["exact"] = std::isinf(*tensor.ternary->sqnr_db);
      json["sqnr_db"] = *tensor.ternary->sqnr_db;  // null when exact: JSON has no infinity
    }
  }
  if (tensor.statistics) {
    json["statistics"] = to_json(*tensor.statistics);
  }
  return json;
}

void print_json(const Checkpoint& checkpoint, const std::vector<TensorInspection>& tensors) {
  Json json;
  json["path"] = checkpoint.path().string();
  json["format"] = format_name(checkpoint.format());
  json["metadata"] = Json::object();
  for (const auto& [key, value] : checkpoint.metadata()) {
    json["metadata"][key] = to_json(value);
  }
  if (!checkpoint.config_json().empty()) {
    json["config"] = Json::parse(checkpoint.config_json());
  }
  json["tensors"] = Json::array();
  for (const TensorInspection& tensor : tensors) {
    json["tensors"].push_back(to_json(tensor));
  }
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

std::string shortened(const std::string& text) {
  constexpr std::size_t kShown = 100;
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

void print_text(const Checkpoint& checkpoint, const std::vector<TensorInspection>& tensors) {
  std::uint64_t bytes = 0;
  TextTable table({{"tensor"},
                   {"type"},
                   {"shape"},
                   {"bytes", Align::right},
                   {"scale", Align::right},
                   {"sparsity", Align::right},
                   {"SQNR", Align::right}});
  for (const TensorInspection& tensor : tensors) {
    bytes += tensor.bytes;
    std::string scale;
    std::string sparsity;
    std::string sqnr;
    if (tensor.ternary) {
      scale = tensor.ternary->scale ? format_float(*tensor.ternary->scale) : "per block";
      sparsity = format_fixed(100 * tensor.ternary->sparsity, 1) + " %";
      sqnr = !tensor.ternary->sqnr_db ? ""
             : std::isinf(*tensor.ternary->sqnr_db)
                 ? "exact"
                 : format_fixed(*tensor.ternary->sqnr_db, 2) + " dB";
    }
    table.add_row({tensor.name, tensor.type_name, tensor.shape.to_string(),
                   std::to_string(tensor.bytes), scale, sparsity, sqnr});
  }
  std::cout << checkpoint.path().string() << ": " << format_name(checkpoint.format()) << ", "
            << tensors.size() << " tensors, " << format_bytes(bytes) << "\n\n";
  for (const auto& [key, value] : checkpoint.metadata()) {
    std::cout << key << " = "
              << shortened(to_json(value).dump(-1, ' ', false, Json::error_handler_t::replace))
              << '\n';
  }
  std::cout << (checkpoint.metadata().empty() ? "" : "\n");
  table.print(std::cout);
}

int run(const InspectArguments& options) {
  const Runtime runtime(options.runtime);
  const Checkpoint checkpoint = open_checkpoint(options.input);
  const std::optional<Checkpoint> source =
      options.source.empty() ? std::nullopt : std::optional(open_checkpoint(options.source));
  const std::vector<TensorInspection> tensors =
      inspect_checkpoint(checkpoint, source ? &*source : nullptr, runtime,
                         {.histograms = options.histograms || !options.html.empty()});
  if (!options.html.empty()) {
    write_file(options.html, html_report(checkpoint, tensors));
  }
  if (options.json) {
    print_json(checkpoint, tensors);
  } else if (options.html.empty()) {
    print_text(checkpoint, tensors);
  }
  return 0;
}

}  // namespace

void add_inspect_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "inspect", "Show metadata and tensors of a GGUF or safetensors checkpoint");
  command->footer(
      R"(Ternary matrices show their scale, the share of zeros and, with --source, how far they are from the
float weights they were made from: SQNR = 10 log10(sum w^2 / sum (w - scale * trit)^2). --html draws all
of it, with a histogram of every tensor, on one page that needs nothing else.

Examples:
  bitnet inspect bitnet-2b4t.gguf
  bitnet inspect models/bitnet-2b4t
  bitnet inspect bitnet-2b4t.gguf --html bitnet-2b4t.html
  bitnet inspect bitnet-2b4t.gguf --source models/bitnet-2b4t-bf16 --json)");
  auto options = std::make_shared<InspectArguments>();
  command->add_option("input", options->input, "GGUF file, .safetensors file or folder")
      ->required()
      ->type_name("FILE|DIR");
  command
      ->add_option("--source", options->source,
                   "Float checkpoint (safetensors) that the input was made from")
      ->type_name("FILE|DIR");
  command->add_option("--html", options->html, "Write a page for the browser to this file instead")
      ->type_name("FILE");
  add_threads_option(*command, options->runtime);
  add_json_option(*command, options->json);
  command
      ->add_flag("--histograms", options->histograms,
                 "Add statistics and a histogram of every tensor to --json")
      ->needs("--json");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
