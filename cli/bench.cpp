// SPDX-License-Identifier: MIT
// `bitnet bench`: a whole model (bench_model.cpp), or with --kernels the ternary product by itself
// (bench_kernels.cpp).
#include <CLI/CLI.hpp>
#include <memory>

#include "bench_kernels.h"
#include "bench_model.h"
#include "command.h"

namespace bitnet::cli {
namespace {

struct BenchOptions {
  bool kernels = false;
  ModelBenchOptions model;
  KernelBenchOptions kernel;
  bool json = false;
};

int run(BenchOptions options) {
  if (options.kernels) {
    options.kernel.threads = options.model.threads;
    options.kernel.rounds = options.model.repetitions;
    options.kernel.json = options.json || options.model.output == "json";
    return run_kernel_bench(options.kernel);
  }
  if (options.model.model.model.empty() && options.model.synthetic.empty()) {
    throw CLI::ValidationError("bench", "expected -m FILE, --synthetic SHAPE or --kernels");
  }
  if (options.json) {
    options.model.output = "json";
  }
  return run_model_bench(options.model);
}

void add_kernel_options(CLI::App& command, BenchOptions& options) {
  command.add_flag("--kernels", options.kernels, "Time the ternary matrix product");
  const auto is_shape = [](const std::string& text) {
    return parse_matrix_shape(text) ? "" : "expected ROWSxINPUTS, found '" + text + "'";
  };
  command
      .add_option_function<std::vector<std::string>>(
          "--shapes",
          [&options](const std::vector<std::string>& texts) {
            options.kernel.shapes.clear();
            for (const std::string& text : texts) {
              options.kernel.shapes.push_back(parse_matrix_shape(text).value());
            }
          },
          "--kernels: matrices, rows x inputs (default: those of BitNet b1.58 2B-4T)")
      ->delimiter(',')
      ->check(CLI::Validator(is_shape, ""))
      ->type_name("NxK,NxK");
  command.add_option("--tokens", options.kernel.tokens, "--kernels: numbers of tokens")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536).description(""))
      ->type_name("N,N")
      ->capture_default_str();
}

}  // namespace

void add_bench_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("bench", "Measure the speed of a model, or of kernels");
  command->footer(
      R"(A model: pp is tokens/s of a prompt, tg of generation, each beside the limit that binds it, which is
measured in the same run: tg the memory's read bandwidth (weights, keys and values per token x
tokens/s), pp the int8 dot-product peak. Then where the time went: ternary projections, attention, logits, and the rest (norms, quantization,
rotation). --synthetic needs no file.

--kernels: the product of packed ternary weights (t16 and t16p: 1.6 bits each, t2: 2) and int8 codes by itself, checked
against the scalar kernel first. For each shape and number of tokens:
  ms              one product
  GMAC/s          10^9 multiply-adds a second
  MAC/cycle       multiply-adds in a cycle of each core
  weight GB/s     packed weights read; no cache holds them
  % of bandwidth  weight GB/s of what plain reads reach: the limit of one token
  % of peak       GMAC/s of what the ISA's int8 dot products reach in registers: the limit of many tokens,
                  which table lookup may exceed
Each of -r rounds probes clock, bandwidth and peak right before each product. All figures are medians, the
last two and MAC/cycle of the ratios within a round. BITNET_ISA chooses other kernels, -t is one thread per
core unless given. Takes half a minute for each number of threads. --json has every round; bench/roofline
draws it.

Examples:
  bitnet bench -m bitnet-2b4t.gguf -p 512 -n 128 -t 1,2 -r 5
  bitnet bench --synthetic 2b-4t -p 512 -n 64 -d 0,2048 -o json
  bitnet bench --kernels
  bitnet bench --kernels --shapes 4096x4096,28672x4096 --tokens 1,64 -t 1,8)");
  auto options = std::make_shared<BenchOptions>();
  ModelBenchOptions& model = options->model;
  add_model_options(*command, model.model);
  command->get_option("--model")->required(false);
  command->remove_option(command->get_option("--threads"));
  command
      ->add_option("-t,--threads", model.threads,
                   "Numbers of threads (default: as many as memory bandwidth repays)")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N,N");
  command->add_option("--synthetic", model.synthetic, "Random weights in the shape of a model")
      ->check(CLI::IsMember(model_shape_names()));
  command->add_option("-p,--n-prompt", model.prompts, "Lengths of prompts; 0: none")
      ->delimiter(',')
      ->type_name("N,N");
  command->add_option("-n,--n-gen", model.generations, "Numbers of tokens to generate; 0: none")
      ->delimiter(',')
      ->type_name("N,N");
  command->add_option("-d,--n-depth", model.depths, "Tokens of context in front of each test")
      ->delimiter(',')
      ->type_name("N,N");
  command->add_option("-r,--repetitions", model.repetitions, "Times that each test is run")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("-o,--output", model.output, "Form of the result")
      ->check(CLI::IsMember({"md", "json"}).description(""))
      ->type_name("md|json")
      ->capture_default_str();
  add_kernel_options(*command, *options);
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
