// SPDX-License-Identifier: MIT
// Times on a shared machine drift, so a product is never compared with a limit that was measured at
// another time: in each round every product follows its own probes, and what is printed are medians
// of the rounds and of the ratios within them.
#include "bench_kernels.h"

#include <bitnet/diagnostics.h>
#include <bitnet/error.h>
#include <bitnet/ternary_weight.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "command.h"
#include "kernels/kernel_table.h"
#include "kernels/machine_limits.h"
#include "kernels/ternary_matmul.h"
#include "ternary/ternary_storage.h"
#include "text_table.h"

namespace bitnet::cli {
namespace {

/// One token reads every weight once, so its weights must come from memory: distinct matrices of
/// this size together, several times a last-level cache, are walked in turn.
constexpr std::size_t kStreamBytes = std::size_t{300} << 20;
/// A turn repeats the product until reading the clock costs nothing beside it.
constexpr double kTurnSeconds = 0.04;

/// One turn of a product, and the machine right before it.
struct Round {
  double seconds;  ///< of one product
  double core_ghz;
  MachineLimits limits;
};

struct Measurement {
  int threads;
  TileLayout layout;
  MatrixShape shape;
  std::size_t tokens;
  std::size_t weight_bytes;
  std::vector<Round> rounds = {};

  double multiply_adds() const { return static_cast<double>(shape.rows * shape.inputs * tokens); }
  double median(const std::function<double(const Round&)>& value) const;
  double seconds() const {
    return median([](const Round& round) { return round.seconds; });
  }
  double gmac_per_s() const { return multiply_adds() * 1e-9 / seconds(); }
  double weight_gb_per_s() const { return static_cast<double>(weight_bytes) * 1e-9 / seconds(); }
  /// Of one core.
  double mac_per_cycle() const {
    return median([&](const Round& round) {
      return multiply_adds() * 1e-9 / round.seconds / round.core_ghz / threads;
    });
  }
  double percent_of_bandwidth() const {
    return median([&](const Round& round) {
      return 100e-9 * static_cast<double>(weight_bytes) / round.seconds /
             round.limits.read_gb_per_s;
    });
  }
  double percent_of_peak() const {
    return median([&](const Round& round) {
      return 100e-9 * multiply_adds() / round.seconds / round.limits.dot_gmac_per_s;
    });
  }
};

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double Measurement::median(const std::function<double(const Round&)>& value) const {
  std::vector<double> values(rounds.size());
  std::transform(rounds.begin(), rounds.end(), values.begin(), value);
  return median_of(std::move(values));
}

/// A runtime and its probes.
struct Machine {
  explicit Machine(int threads) : runtime(RuntimeOptions{.threads = threads}) {}
  Runtime runtime;
  ReadProbe read{runtime};
  DotProbe dot{runtime};
};

struct Report {
  std::string kernels;
  std::vector<Measurement> measurements;  ///< by number of threads
};

std::string name_of(const MatrixShape& shape) {
  return std::to_string(shape.rows) + " x " + std::to_string(shape.inputs);
}

TernaryWeight random_weight(const MatrixShape& shape, TileLayout layout) {
  std::mt19937 random(1);
  std::vector<std::int8_t> trits(shape.rows * shape.inputs);
  std::generate(trits.begin(), trits.end(),
                [&] { return static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1); });
  const float scale = 0.02F;
  return TernaryWeight::pack(trits, shape.rows, shape.inputs, {&scale, 1}, Granularity::tensor, 0,
                             layout);
}

TernaryWeight copy_of(const TernaryWeight& weight, TileArena& arena) {
  TernaryWeightBuilder builder(weight.out_features(), weight.in_features(), Granularity::tensor, 0,
                               weight.layout(), &arena);
  std::memcpy(builder.panel(0), weight.tiles().data(), weight.tiles().size());
  builder.set_scale(0, 0, weight.scales().front());
  return builder.finish(0);
}

/// What is multiplied: a walk through distinct matrices, and an input for each number of tokens.
class Operands {
 public:
  Operands(const MatrixShape& shape, TileLayout layout, const std::vector<std::size_t>& tokens) {
    const TernaryWeight weight = random_weight(shape, layout);
    TileArena arena;  // as in a model
    do {
      weights_.push_back(copy_of(weight, arena));
    } while (weights_.size() * weight.tiles().size() < kStreamBytes);
    std::mt19937 random(2);
    for (const std::size_t count : tokens) {
      std::vector<std::int8_t> codes(count * shape.inputs);
      std::generate(codes.begin(), codes.end(), [&] {
        return static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
      });
      inputs_.emplace_back().assign(codes, count, weights_.front(), Runtime::serial());
      last_tokens_.emplace_back().assign(std::span(codes).last(shape.inputs), 1, weights_.front(),
                                         Runtime::serial());
    }
    y_.resize(shape.rows * *std::max_element(tokens.begin(), tokens.end()));
  }

  std::size_t weight_bytes() const { return weights_.front().tiles().size(); }

  /// Whether the last token's sums are those of the scalar kernel, which would take too long for
  /// all. Throws Error when not.
  void require_exact(std::size_t input, const Runtime& runtime) const {
    const RuntimeOptions reference{.threads = runtime.threads(), .isa = Isa::scalar};
    const TernaryWeight& weight = weights_.front();
    const std::size_t rows = weight.out_features();
    std::vector<std::int32_t> expected(rows);
    ternary_matmul(weight, last_tokens_[input], expected, Runtime(reference));
    std::vector<std::int32_t> sums(inputs_[input].tokens * rows);
    ternary_matmul(weight, inputs_[input], std::span<std::int32_t>(sums), runtime);
    if (!std::equal(expected.begin(), expected.end(), sums.end() - static_cast<long>(rows))) {
      throw Error("bench: " + std::string(runtime.kernels().name) + " " +
                  std::string(to_string(weight.layout())) +
                  " differs from the scalar kernel; run `bitnet doctor`");
    }
  }

  /// Seconds of one product, the mean over a turn.
  double time(std::size_t input, const Runtime& runtime) {
    using Clock = std::chrono::steady_clock;
    const ActivationPanel& x = inputs_[input];
    const std::vector<float> scales(x.tokens, 0.01F);
    const std::span<float> y = std::span(y_).first(x.tokens * weights_.front().out_features());
    std::size_t products = 0;
    double elapsed = 0;
    for (const Clock::time_point start = Clock::now(); elapsed < kTurnSeconds; ++products) {
      const TernaryProduct product{&weights_[next_], y};
      ternary_matmul({&product, 1}, x, scales, runtime);
      next_ = (next_ + 1) % weights_.size();
      elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return elapsed / static_cast<double>(products);
  }

 private:
  std::vector<TernaryWeight> weights_;
  std::size_t next_ = 0;
  std::vector<ActivationPanel> inputs_;       // by number of tokens
  std::vector<ActivationPanel> last_tokens_;  // of each
  std::vector<float> y_;
};

Round measure_round(Operands& operands, std::size_t input, const Machine& machine) {
  Round round{};
  round.limits.read_gb_per_s = machine.read.gb_per_s();
  round.limits.dot_gmac_per_s = machine.dot.gmac_per_s();
  round.core_ghz = core_ghz();
  round.seconds = operands.time(input, machine.runtime);
  return round;
}

using Machines = std::vector<std::unique_ptr<Machine>>;

/// Every number of threads and tokens in turn, round after round.
std::vector<Measurement> measure_weight(const MatrixShape& shape, TileLayout layout,
                                        const Machines& machines, const KernelBenchOptions& options,
                                        const std::function<void()>& on_turn) {
  Operands operands(shape, layout, options.tokens);
  std::vector<Measurement> measurements;
  for (const auto& machine : machines) {
    for (std::size_t input = 0; input < options.tokens.size(); ++input) {
      operands.require_exact(input, machine->runtime);
      measurements.push_back({machine->runtime.threads(), layout, shape, options.tokens[input],
                              operands.weight_bytes()});
    }
  }
  for (std::size_t round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < measurements.size(); ++i) {
      const std::size_t inputs = options.tokens.size();
      measurements[i].rounds.push_back(measure_round(operands, i % inputs, *machines[i / inputs]));
      on_turn();
    }
  }
  return measurements;
}

Report measure(const KernelBenchOptions& options) {
  Machines machines;
  const std::vector<int> one_per_core = {0};
  for (const int threads : options.threads.empty() ? one_per_core : options.threads) {
    machines.push_back(std::make_unique<Machine>(threads));
  }
  const bool permutes = machines.front()->runtime.kernels().preferred_layout == TileLayout::t16p;
  const std::array layouts = {permutes ? TileLayout::t16p : TileLayout::t16, TileLayout::t2};
  const std::size_t turns = layouts.size() * options.shapes.size() * machines.size() *
                            options.tokens.size() * options.rounds;
  ProgressBar progress("Measuring");
  std::size_t done = 0;
  const auto on_turn = [&] { progress.update(++done, turns); };
  Report report{std::string(machines.front()->runtime.kernels().name), {}};
  for (const TileLayout layout : layouts) {
    for (const MatrixShape& shape : options.shapes) {
      const std::vector<Measurement> some =
          measure_weight(shape, layout, machines, options, on_turn);
      report.measurements.insert(report.measurements.end(), some.begin(), some.end());
    }
  }
  std::stable_sort(
      report.measurements.begin(), report.measurements.end(),
      [](const Measurement& a, const Measurement& b) { return a.threads < b.threads; });
  return report;
}

/// Medians over all rounds of one number of threads.
struct Conditions {
  int threads;
  double core_ghz;
  MachineLimits limits;
};

std::vector<Conditions> conditions_of(const Report& report) {
  std::vector<Conditions> conditions;
  const std::vector<Measurement>& all = report.measurements;
  for (auto first = all.begin(); first != all.end();) {
    const auto last = std::find_if(
        first, all.end(), [&](const Measurement& m) { return m.threads != first->threads; });
    std::vector<double> ghz;
    std::vector<double> reads;
    std::vector<double> dots;
    for (auto m = first; m != last; ++m) {
      for (const Round& round : m->rounds) {
        ghz.push_back(round.core_ghz);
        reads.push_back(round.limits.read_gb_per_s);
        dots.push_back(round.limits.dot_gmac_per_s);
      }
    }
    conditions.push_back({first->threads,
                          median_of(ghz),
                          {.read_gb_per_s = median_of(reads), .dot_gmac_per_s = median_of(dots)}});
    first = last;
  }
  return conditions;
}

void print_text(const Report& report) {
  std::cout << cpu_info().model << ", kernels " << report.kernels << '\n';
  for (const Conditions& conditions : conditions_of(report)) {
    std::cout << '\n'
              << conditions.threads << (conditions.threads == 1 ? " thread" : " threads")
              << ": clock " << format_fixed(conditions.core_ghz, 2) << " GHz, read bandwidth "
              << format_fixed(conditions.limits.read_gb_per_s, 1) << " GB/s, dot-product peak "
              << format_fixed(conditions.limits.dot_gmac_per_s, 0) << " GMAC/s\n\n";
    TextTable table({{"layout"},
                     {"rows x inputs"},
                     {"tokens", Align::right},
                     {"ms", Align::right},
                     {"GMAC/s", Align::right},
                     {"MAC/cycle", Align::right},
                     {"weight GB/s", Align::right},
                     {"% of bandwidth", Align::right},
                     {"% of peak", Align::right}});
    for (const Measurement& m : report.measurements) {
      if (m.threads == conditions.threads) {
        table.add_row({std::string(to_string(m.layout)), name_of(m.shape), std::to_string(m.tokens),
                       format_fixed(1e3 * m.seconds(), 3), format_fixed(m.gmac_per_s(), 1),
                       format_fixed(m.mac_per_cycle(), 1), format_fixed(m.weight_gb_per_s(), 2),
                       format_fixed(m.percent_of_bandwidth(), 0),
                       format_fixed(m.percent_of_peak(), 0)});
      }
    }
    table.print(std::cout);
  }
}

nlohmann::ordered_json to_json(const Measurement& m) {
  nlohmann::ordered_json json = {{"threads", m.threads},
                                 {"layout", to_string(m.layout)},
                                 {"rows", m.shape.rows},
                                 {"inputs", m.shape.inputs},
                                 {"tokens", m.tokens},
                                 {"weight_bytes", m.weight_bytes},
                                 {"ms", 1e3 * m.seconds()},
                                 {"gmac_per_s", m.gmac_per_s()},
                                 {"mac_per_cycle", m.mac_per_cycle()},
                                 {"weight_gb_per_s", m.weight_gb_per_s()},
                                 {"percent_of_bandwidth", m.percent_of_bandwidth()},
                                 {"percent_of_peak", m.percent_of_peak()},
                                 {"rounds", nlohmann::ordered_json::array()}};
  for (const Round& round : m.rounds) {
    json["rounds"].push_back({{"ms", 1e3 * round.seconds},
                              {"core_ghz", round.core_ghz},
                              {"read_gb_per_s", round.limits.read_gb_per_s},
                              {"dot_gmac_per_s", round.limits.dot_gmac_per_s}});
  }
  return json;
}

void print_json(const Report& report) {
  nlohmann::ordered_json json = {{"cpu", cpu_info().model},
                                 {"kernels", report.kernels},
                                 {"machine", nlohmann::ordered_json::array()},
                                 {"measurements", nlohmann::ordered_json::array()}};
  for (const Conditions& conditions : conditions_of(report)) {
    json["machine"].push_back({{"threads", conditions.threads},
                               {"core_ghz", conditions.core_ghz},
                               {"read_gb_per_s", conditions.limits.read_gb_per_s},
                               {"dot_gmac_per_s", conditions.limits.dot_gmac_per_s}});
  }
  for (const Measurement& measurement : report.measurements) {
    json["measurements"].push_back(to_json(measurement));
  }
  std::cout << json.dump(2) << '\n';
}

}  // namespace

std::optional<MatrixShape> parse_matrix_shape(std::string_view text) {
  constexpr std::size_t kMost = 1'000'000;
  const char* const end = text.data() + text.size();
  MatrixShape shape{};
  const auto rows = std::from_chars(text.data(), end, shape.rows);
  if (rows.ec != std::errc() || rows.ptr == end || *rows.ptr != 'x') {
    return std::nullopt;
  }
  const auto inputs = std::from_chars(rows.ptr + 1, end, shape.inputs);
  const auto valid = [](std::size_t size) { return size >= 1 && size <= kMost; };
  if (inputs.ec != std::errc() || inputs.ptr != end || !valid(shape.rows) || !valid(shape.inputs)) {
    return std::nullopt;
  }
  return shape;
}

int run_kernel_bench(const KernelBenchOptions& options) {
  const Report report = measure(options);
  (options.json ? print_json : print_text)(report);
  return 0;
}

}  // namespace bitnet::cli
