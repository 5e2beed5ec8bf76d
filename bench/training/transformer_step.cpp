// SPDX-License-Identifier: MIT
// Program bitnet_bench_transformer_step: how many tokens a second models/prose's shape learns from.
// plain_pytorch.py does the same work as one would write it in Python.
#include <ATen/Parallel.h>
#include <bitnet/train/adamw.h>
#include <bitnet/train/transformer.h>
#include <sys/resource.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

namespace {

constexpr std::int64_t kRows = 16;
constexpr std::int64_t kContext = 256;
constexpr std::int64_t kVocabulary = 4096;

bitnet::ModelConfig model_config() {
  bitnet::ModelConfig config;
  config.architectures = {"BitNetForCausalLM"};
  config.model_type = "bitnet";
  config.hidden_act = "relu2";
  config.hidden_size = 256;
  config.intermediate_size = 768;
  config.num_hidden_layers = 4;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 64;
  config.vocab_size = kVocabulary;
  config.max_position_embeddings = kContext;
  config.rms_norm_eps = 1e-5;
  config.rope_theta = 10000;
  config.tie_word_embeddings = true;
  return config;
}

double peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1000;
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 1;
  double seconds = 10;
  bool is_float = false;
  CLI::App app("Training steps of a transformer on random tokens; prints JSON.");
  app.add_option("--threads", threads)->capture_default_str();
  app.add_option("--seconds", seconds)->capture_default_str();
  app.add_flag("--float", is_float, "Without quantization");
  CLI11_PARSE(app, argc, argv);

  at::set_num_threads(threads);
  torch::manual_seed(1);
  bitnet::train::Transformer model(model_config());
  model->set_lambda(is_float ? 0 : 1);
  bitnet::train::AdamW optimizer(*model);
  const torch::Tensor ids = torch::randint(kVocabulary, {kRows, kContext + 1}, torch::kInt64);
  const auto step = [&] {
    optimizer.zero_grad();
    model->loss(ids.narrow(1, 0, kContext), ids.narrow(1, 1, kContext)).backward();
    if (const double norm = optimizer.gradient_norm(); norm > 1) {
      optimizer.scale_gradients(1 / norm);
    }
    optimizer.step(1e-3, 0.1);
  };
  step();  // memory and code are made
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::int64_t steps = 0;
  while (elapsed() < seconds) {
    step();
    ++steps;
  }
  const double rate = static_cast<double>(steps * kRows * kContext) / elapsed();
  std::cout << nlohmann::json({{"tokens_per_second", rate}, {"peak_mb", peak_mb()}}) << '\n';
}
