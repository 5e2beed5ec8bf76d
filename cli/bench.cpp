// SPDX-License-Identifier: MIT
// `bitnet bench`: a whole model (bench_model.cpp), or with --kernels the ternary product on every
// ISA of this machine, beside the machine's limits.
#include <bitnet/diagnostics.h>
#include <bitnet/error.h>
#include <bitnet/ternary_weight.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "bench_model.h"
#include "command.h"
#include "kernels/kernel_table.h"
#include "kernels/ternary_matmul.h"
#include "ternary/ternary_storage.h"
#include "text_table.h"

namespace bitnet::cli {
namespace {

struct BenchOptions {
  bool kernels = false;
  ModelBenchOptions model;
  bool json = false;
};

// Projections of BitNet-b1.58-2B-4T, and the token counts of decoding, a small batch, a prompt.
struct LayerShape {
  std::size_t rows;
  std::size_t inputs;
};
constexpr std::array<LayerShape, 3> kShapes = {{{2560, 2560}, {6912, 2560}, {2560, 6912}}};
constexpr std::array<std::size_t, 3> kTokens = {1, 8, 128};

/// The reference kernel would take seconds for a prompt.
constexpr std::size_t kMostScalarTokens = 8;

/// Every call of a GEMV meets weights that no cache still holds, as in a model.
constexpr std::size_t kWorkingSetBytes = std::size_t{300} << 20;

struct Measurement {
  std::string variant;
  TileLayout layout;
  LayerShape shape;
  std::size_t tokens;
  double seconds;  // median of one call
  std::size_t weight_bytes;

  double gmac_per_s() const {
    return static_cast<double>(shape.rows * shape.inputs * tokens) / seconds / 1e9;
  }
  double weight_gb_per_s() const { return static_cast<double>(weight_bytes) / seconds / 1e9; }
};

const char* name_of(TileLayout layout) { return layout == TileLayout::t16 ? "t16" : "t2"; }

TernaryWeight random_weight(const LayerShape& shape, TileLayout layout) {
  std::mt19937 random(1);
  std::vector<std::int8_t> trits(shape.rows * shape.inputs);
  std::generate(trits.begin(), trits.end(),
                [&] { return static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1); });
  const float scale = 0.02F;
  return TernaryWeight::pack(trits, shape.rows, shape.inputs, {&scale, 1}, Granularity::tensor, 0,
                             layout);
}

TernaryWeight copy_of(const TernaryWeight& weight) {
  TernaryWeightBuilder builder(weight.out_features(), weight.in_features(), Granularity::tensor, 0,
                               weight.layout());
  std::memcpy(builder.panel(0), weight.tiles().data(), weight.tiles().size());
  builder.set_scale(0, 0, weight.scales().front());
  return builder.finish(0);
}

/// Copies of one weight that together exceed every cache.
std::vector<TernaryWeight> working_set(const LayerShape& shape, TileLayout layout) {
  std::vector<TernaryWeight> weights{random_weight(shape, layout)};
  while (weights.size() * weights.front().tiles().size() < kWorkingSetBytes) {
    weights.push_back(copy_of(weights.front()));
  }
  return weights;
}

ActivationPanel random_activations(std::size_t tokens, const TernaryWeight& weight) {
  std::mt19937 random(2);
  std::vector<std::int8_t> codes(tokens * weight.in_features());
  std::generate(codes.begin(), codes.end(),
                [&] { return static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127); });
  ActivationPanel panel;
  panel.assign(codes, tokens, weight);
  return panel;
}

void require_exact(const TernaryWeight& weight, const ActivationPanel& x,
                   const std::vector<std::int32_t>& expected, const Runtime& runtime) {
  std::vector<std::int32_t> sums(expected.size());
  ternary_matmul(weight, x, std::span<std::int32_t>(sums), runtime);
  if (sums != expected) {
    throw Error("bench: " + std::string(runtime.kernels().name) + " " + name_of(weight.layout()) +
                " differs from the scalar kernel; run `bitnet doctor`");
  }
}

/// Median seconds of a call, each on the next weight.
double time_product(const std::vector<TernaryWeight>& weights, const ActivationPanel& x,
                    const Runtime& runtime) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kEnough{300};
  constexpr std::size_t kMostCalls = 5000;
  const std::vector<float> scales(x.tokens, 0.01F);
  std::vector<float> y(x.tokens * weights.front().out_features());
  std::vector<double> seconds;
  const Clock::time_point begin = Clock::now();
  do {
    const TernaryProduct product{&weights[seconds.size() % weights.size()], y};
    const Clock::time_point start = Clock::now();
    ternary_matmul({&product, 1}, x, scales, runtime);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  } while (Clock::now() - begin < kEnough && seconds.size() < kMostCalls);
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  return seconds[seconds.size() / 2];
}

/// One runtime per ISA that this CPU has; scalar first.
std::vector<Runtime> runtimes(const RuntimeOptions& options) {
  std::vector<Runtime> result;
  for (const Isa isa : supported_isas()) {
    result.emplace_back(RuntimeOptions{.threads = options.threads, .isa = isa});
  }
  return result;
}

std::vector<Measurement> measure_kernels(const std::vector<Runtime>& runtimes) {
  std::vector<Measurement> measurements;
  for (const TileLayout layout : {TileLayout::t16, TileLayout::t2}) {
    for (const LayerShape& shape : kShapes) {
      const std::vector<TernaryWeight> weights = working_set(shape, layout);
      for (const std::size_t tokens : kTokens) {
        const ActivationPanel x = random_activations(tokens, weights.front());
        std::vector<std::int32_t> expected(tokens * shape.rows);
        ternary_matmul(weights.front(), x, std::span<std::int32_t>(expected), runtimes.front());
        for (const Runtime& runtime : runtimes) {
          if (runtime.isa() == Isa::scalar && tokens > kMostScalarTokens) {
            continue;
          }
          require_exact(weights.front(), x, expected, runtime);
          measurements.push_back({std::string(runtime.kernels().name), layout, shape, tokens,
                                  time_product(weights, x, runtime),
                                  weights.front().tiles().size()});
        }
      }
    }
  }
  return measurements;
}

void print_text(const std::vector<Measurement>& measurements, const MachineLimits& limits,
                int threads) {
  std::cout << threads << " threads; read bandwidth " << format_fixed(limits.read_gb_per_s, 1)
            << " GB/s, dot-product peak " << format_fixed(limits.dot_gmac_per_s, 1)
            << " GMAC/s\n\n";
  TextTable table({{"kernel"},
                   {"layout"},
                   {"rows x inputs"},
                   {"tokens", Align::right},
                   {"ms", Align::right},
                   {"GMAC/s", Align::right},
                   {"weight GB/s", Align::right},
                   {"% of bandwidth", Align::right},
                   {"% of peak", Align::right}});
  for (const Measurement& m : measurements) {
    table.add_row({m.variant, name_of(m.layout),
                   std::to_string(m.shape.rows) + " x " + std::to_string(m.shape.inputs),
                   std::to_string(m.tokens), format_fixed(1e3 * m.seconds, 3),
                   format_fixed(m.gmac_per_s(), 1), format_fixed(m.weight_gb_per_s(), 2),
                   format_fixed(100 * m.weight_gb_per_s() / limits.read_gb_per_s, 0),
                   format_fixed(100 * m.gmac_per_s() / limits.dot_gmac_per_s, 0)});
  }
  table.print(std::cout);
}

void print_json(const std::vector<Measurement>& measurements, const MachineLimits& limits,
                int threads) {
  nlohmann::ordered_json json;
  json["threads"] = threads;
  json["read_gb_per_s"] = limits.read_gb_per_s;
  json["dot_gmac_per_s"] = limits.dot_gmac_per_s;
  json["measurements"] = nlohmann::ordered_json::array();
  for (const Measurement& m : measurements) {
    json["measurements"].push_back({{"kernel", m.variant},
                                    {"layout", name_of(m.layout)},
                                    {"rows", m.shape.rows},
                                    {"inputs", m.shape.inputs},
                                    {"tokens", m.tokens},
                                    {"ms", 1e3 * m.seconds},
                                    {"gmac_per_s", m.gmac_per_s()},
                                    {"weight_gb_per_s", m.weight_gb_per_s()}});
  }
  std::cout << json.dump(2) << '\n';
}

int run_kernel_bench(const BenchOptions& options) {
  RuntimeOptions runtime;
  runtime.threads = options.model.threads.empty() ? 0 : options.model.threads.front();
  const std::vector<Runtime> all = runtimes(runtime);
  MachineLimits limits = measure_limits(all.back());
  const std::vector<Measurement> measurements = measure_kernels(all);
  // A shared machine is not equally fast all the time: the better of before and after is the limit.
  const MachineLimits after = measure_limits(all.back());
  limits.read_gb_per_s = std::max(limits.read_gb_per_s, after.read_gb_per_s);
  limits.dot_gmac_per_s = std::max(limits.dot_gmac_per_s, after.dot_gmac_per_s);
  const bool json = options.json || options.model.output == "json";
  (json ? print_json : print_text)(measurements, limits, all.back().threads());
  return 0;
}

int run(BenchOptions options) {
  if (options.kernels) {
    return run_kernel_bench(options);
  }
  if (options.model.model.model.empty() && options.model.synthetic.empty()) {
    throw CLI::ValidationError("bench", "expected -m FILE, --synthetic SHAPE or --kernels");
  }
  if (options.json) {
    options.model.output = "json";
  }
  return run_model_bench(options.model);
}

}  // namespace

void add_bench_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("bench", "Measure the speed of a model, or of kernels");
  command->footer(
      R"(A model: pp is tokens/s of a prompt, tg of generation, each beside the limit that binds it, which is
measured in the same run: tg the memory's read bandwidth (weights per token x tokens/s), pp the int8
dot-product peak. --synthetic needs no file.

--kernels: every ISA of this CPU multiplies packed ternary weights of a 2B model's shapes by 1, 8 and
128 tokens, checked against the scalar kernel first. Takes about a minute.

Examples:
  bitnet bench -m bitnet-2b4t.gguf -p 512 -n 128 -t 1,2 -r 5
  bitnet bench --synthetic 2b-4t -p 512 -n 64 -d 0,2048 -o json
  bitnet bench --kernels)");
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
  command->add_flag("--kernels", options->kernels, "Time the ternary matrix product");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace bitnet::cli
