// SPDX-License-Identifier: MIT
#include "bench_model.h"

#include <bitnet/diagnostics.h>
#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "command.h"
#include "text_table.h"

namespace bitnet::cli {
namespace {

/// Multiply-adds of the projections for one token.
double macs_per_token(const ModelConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto queries = static_cast<double>(config.num_attention_heads * config.head_dim);
  const auto keys = static_cast<double>(config.num_key_value_heads * config.head_dim);
  const auto intermediate = static_cast<double>(config.intermediate_size);
  return static_cast<double>(config.num_hidden_layers) * hidden *
         (2 * queries + 2 * keys + 3 * intermediate);
}

ForwardTime& operator+=(ForwardTime& sum, const ForwardTime& time) {
  sum.projections += time.projections;
  sum.attention += time.attention;
  sum.head += time.head;
  sum.total += time.total;
  return sum;
}

/// Percent of the time by part, and of the rest.
std::array<std::pair<const char*, double>, 4> shares_of(const ForwardTime& time) {
  const double rest = time.total - time.projections - time.attention - time.head;
  return {{{"projections", 100 * time.projections / time.total},
           {"attention", 100 * time.attention / time.total},
           {"head", 100 * time.head / time.total},
           {"rest", 100 * rest / time.total}}};
}

struct Row {
  std::string test;  // "pp512", "tg128 @ d1024"
  int threads;
  std::vector<double> tokens_per_s;
  double weight_gb_per_s = 0;  ///< generation
  double read_gb_per_s = 0;    ///< generation: with the keys and values
  /// Generation: of the read bandwidth; prompt: of the dot-product peak.
  double percent_of_limit = 0;
  ForwardTime time = {};  ///< of all samples together

  double mean() const {
    return std::accumulate(tokens_per_s.begin(), tokens_per_s.end(), 0.0) /
           static_cast<double>(tokens_per_s.size());
  }
  double deviation() const {
    const double average = mean();
    double sum = 0;
    for (const double x : tokens_per_s) sum += (x - average) * (x - average);
    return tokens_per_s.size() < 2 ? 0
                                   : std::sqrt(sum / static_cast<double>(tokens_per_s.size() - 1));
  }
};

/// One model on one number of threads.
class ModelBench {
 public:
  ModelBench(LanguageModel& model, int threads, const MachineLimits& limits,
             const ModelBenchOptions& options)
      : model_(model),
        options_(options),
        threads_(threads),
        limits_(limits),
        logits_(model.config().vocab_size) {}

  void prompt(std::size_t tokens, std::size_t depth, std::vector<Row>& rows) {
    Row row = measure("pp" + std::to_string(tokens), tokens, depth, [&](KvCache& cache) {
      const std::vector<TokenId> ids = some_tokens(tokens);
      const SequenceStep step{ids, &cache, OutputRows::last};
      return forward(step);
    });
    row.percent_of_limit =
        100 * row.mean() * macs_per_token(model_.config()) / 1e9 / limits_.dot_gmac_per_s;
    rows.push_back(std::move(row));
  }

  void generation(std::size_t tokens, std::size_t depth, std::vector<Row>& rows) {
    Row row = measure("tg" + std::to_string(tokens), tokens, depth, [&](KvCache& cache) {
      const std::vector<TokenId> ids = some_tokens(tokens);
      ForwardTime time;
      for (const TokenId& id : ids) {
        time += forward({{&id, 1}, &cache, OutputRows::last, 1});
      }
      return time;
    });
    const CacheType type = options_.model.cache_type.value_or(model_.default_cache_type());
    double cached = 0;  // what all tokens read of the cache
    for (std::size_t i = 0; i < tokens; ++i) {
      cached += static_cast<double>(model_.cache_bytes_read(depth + i, type));
    }
    const auto weights = static_cast<double>(model_.bytes_per_token(false));
    row.weight_gb_per_s = row.mean() * weights / 1e9;
    row.read_gb_per_s = row.mean() * (weights + cached / static_cast<double>(tokens)) / 1e9;
    row.percent_of_limit = 100 * row.read_gb_per_s / limits_.read_gb_per_s;
    rows.push_back(std::move(row));
  }

 private:
  ForwardTime forward(const SequenceStep& step) {
    model_.forward({&step, 1}, logits_);
    return model_.last_time();
  }

  std::vector<TokenId> some_tokens(std::size_t count) const {
    std::vector<TokenId> ids(count);
    for (std::size_t i = 0; i < count; ++i) {
      ids[i] = static_cast<TokenId>((i * 7919 + 13) % model_.config().vocab_size);
    }
    return ids;
  }

  template <class Work>
  Row measure(std::string test, std::size_t tokens, std::size_t depth, Work work) {
    const auto cache = model_.new_kv_cache(depth + tokens, options_.model.cache_type);
    if (depth != 0) {
      const std::vector<TokenId> ids = some_tokens(depth);
      const SequenceStep step{ids, cache.get(), OutputRows::none};
      model_.forward({&step, 1}, {});
      test += " @ d" + std::to_string(depth);
    }
    Row row{std::move(test), threads_, {}};
    for (std::size_t i = 0; i <= options_.repetitions; ++i) {
      cache->truncate(depth);
      const auto start = std::chrono::steady_clock::now();
      const ForwardTime time = work(*cache);
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      if (i != 0) {  // the first one warms up
        row.tokens_per_s.push_back(static_cast<double>(tokens) / elapsed.count());
        row.time += time;
      }
    }
    return row;
  }

  LanguageModel& model_;
  const ModelBenchOptions& options_;
  int threads_;
  MachineLimits limits_;
  std::vector<float> logits_;  // [V]
};

struct Report {
  std::string model;
  std::size_t bytes_per_token = 0;
  ModelMemory memory;
  double load_seconds = 0;
  MachineLimits limits{};
  std::vector<Row> rows;
};

void measure_all(LanguageModel& model, int threads, const ModelBenchOptions& options,
                 Report& report) {
  ModelBench bench(model, threads, report.limits, options);
  for (const std::size_t depth : options.depths) {
    for (const std::size_t tokens : options.prompts) {
      if (tokens != 0) bench.prompt(tokens, depth, report.rows);
    }
    for (const std::size_t tokens : options.generations) {
      if (tokens != 0) bench.generation(tokens, depth, report.rows);
    }
  }
  report.bytes_per_token = model.bytes_per_token(false);
  report.memory = model.memory();
}

void print_markdown(const Report& report) {
  std::cout << report.model << ": " << format_bytes(report.bytes_per_token)
            << " of weights per token (projections " << format_bytes(report.memory.projections)
            << ", " << (report.memory.head_sketch == 0 ? "head " : "sketch of the head ")
            << format_bytes(report.bytes_per_token - report.memory.projections) << "); loaded in "
            << format_fixed(report.load_seconds, 2) << " s\n";
  std::cout << "read bandwidth " << format_fixed(report.limits.read_gb_per_s, 1)
            << " GB/s, dot-product peak " << format_fixed(report.limits.dot_gmac_per_s, 1)
            << " GMAC/s, measured before the tests of the last number of threads\n\n";
  std::cout
      << "| test | threads | tokens/s | GB/s read | % of limit | % in projections | attention "
         "| head | rest |\n"
      << "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
  for (const Row& row : report.rows) {
    std::cout << "| " << row.test << " | " << row.threads << " | " << format_fixed(row.mean(), 2)
              << " ± " << format_fixed(row.deviation(), 2) << " | "
              << (row.read_gb_per_s == 0 ? "" : format_fixed(row.read_gb_per_s, 2)) << " | "
              << format_fixed(row.percent_of_limit, 0) << " |";
    for (const auto& [part, percent] : shares_of(row.time)) {
      std::cout << ' ' << format_fixed(percent, 1) << " |";
    }
    std::cout << '\n';
  }
  std::cout
      << "\nGB/s read: weights, keys and values. % of limit: tg of the read bandwidth (roofline), "
         "pp of the dot-product peak. Rest: norms, quantization, rotation.\n";
}

void print_json(const Report& report) {
  nlohmann::ordered_json json;
  json["model"] = report.model;
  json["bytes_per_token"] = report.bytes_per_token;
  json["projection_bytes"] = report.memory.projections;
  json["head_bytes"] = report.bytes_per_token - report.memory.projections;
  json["head_sketch"] = report.memory.head_sketch != 0;
  json["load_seconds"] = report.load_seconds;
  json["read_gb_per_s"] = report.limits.read_gb_per_s;
  json["dot_gmac_per_s"] = report.limits.dot_gmac_per_s;
  json["tests"] = nlohmann::ordered_json::array();
  for (const Row& row : report.rows) {
    json["tests"].push_back({{"test", row.test},
                             {"threads", row.threads},
                             {"tokens_per_s", row.mean()},
                             {"deviation", row.deviation()},
                             {"samples", row.tokens_per_s},
                             {"weight_gb_per_s", row.weight_gb_per_s},
                             {"read_gb_per_s", row.read_gb_per_s},
                             {"percent_of_limit", row.percent_of_limit}});
    for (const auto& [part, percent] : shares_of(row.time)) {
      json["tests"].back()["percent_of_time"][part] = percent;
    }
  }
  std::cout << json.dump(2) << '\n';
}

}  // namespace

int run_model_bench(const ModelBenchOptions& options) {
  Report report;
  report.model = options.synthetic.empty() ? options.model.model : "synthetic " + options.synthetic;
  const std::vector<int> default_threads = {options.model.runtime.threads};
  for (const int wanted : options.threads.empty() ? default_threads : options.threads) {
    const int threads = wanted == 0 ? recommended_threads() : wanted;
    const Runtime runtime(RuntimeOptions{.threads = threads});
    // Before the model is loaded: the probe's memory would add to its own.
    report.limits = measure_limits(runtime);
    if (options.synthetic.empty()) {
      ModelOptions model_options = options.model;
      model_options.runtime.threads = threads;
      LoadedModel loaded(model_options);
      report.load_seconds = loaded.load_seconds();
      measure_all(loaded.model(), threads, options, report);
    } else {
      const auto start = std::chrono::steady_clock::now();
      const auto model =
          synthetic_model(model_shape(options.synthetic), runtime, options.model.load.head_sketch);
      report.load_seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      measure_all(*model, threads, options, report);
    }
  }
  (options.output == "json" ? print_json : print_markdown)(report);
  return 0;
}

}  // namespace bitnet::cli
