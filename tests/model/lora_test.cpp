// SPDX-License-Identifier: MIT
// Models with LoRA adapters. Oracles: tests/reference/naive_model in double, and the model's own
// bits where nothing may change.
#include <bitnet/error.h>
#include <bitnet/lora.h>
#include <bitnet/model.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>
#include <vector>

#include "reference/golden_file.h"
#include "reference/naive_model.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::NaiveModel;

std::string golden_folder(const std::string& name) {
  return std::string(BITNET_GOLDEN_DIR) + "/models/" + name;
}

/// A random adapter on every projection of the model, about as large as what it is added to.
LoraAdapter random_adapter(const NaiveModel& model, std::size_t rank, std::uint32_t seed) {
  LoraAdapter adapter{.rank = rank, .alpha = 3, .matrices = {}};
  for (const auto& [name, size] : model.projections()) {
    const auto [rows, columns] = size;
    const float deviation = 1 / std::sqrt(static_cast<float>(columns));
    adapter.matrices.push_back({"model." + name, rows, columns,
                                reference::normal_floats(rank * columns, ++seed, deviation),
                                reference::normal_floats(rows * rank, ++seed, 0.5F)});
  }
  return adapter;
}

void give(NaiveModel& model, const LoraAdapter& adapter, double scale) {
  for (const LoraMatrix& matrix : adapter.matrices) {
    model.updates.emplace(matrix.module.substr(std::string("model.").size()),
                          reference::NaiveUpdate{adapter.rank, scale, matrix.a, matrix.b});
  }
}

/// Logits [T, V] of all tokens, or states [T, hidden] of an embedding model, `step` tokens at once.
std::vector<float> outputs(LanguageModel& model, const std::vector<TokenId>& ids, bool has_head,
                           std::size_t step) {
  const std::size_t width = has_head ? model.config().vocab_size : model.config().hidden_size;
  const auto cache = model.new_kv_cache(ids.size(), CacheType::f32);
  std::vector<float> result(ids.size() * width);
  for (std::size_t at = 0; at < ids.size(); at += step) {
    const std::size_t count = std::min(step, ids.size() - at);
    const SequenceStep part{std::span(ids).subspan(at, count), cache.get(), OutputRows::all};
    const std::span out = std::span(result).subspan(at * width, count * width);
    has_head ? model.forward({&part, 1}, out) : model.hidden_states({&part, 1}, out);
  }
  return result;
}

class Lora : public testing::TestWithParam<const char*> {
 protected:
  std::vector<float> run(const std::vector<ScaledLora>& lora, const RuntimeOptions& options = {},
                         std::size_t step = 99) const {
    const Runtime runtime(options);
    const auto model =
        load_model(open_checkpoint(golden_folder(GetParam())), runtime, {.lora = lora});
    return outputs(*model, ids_, has_head_, step);
  }

  /// Compares with the naive model. Float32 rounding moves these models' outputs by 2e-5 of the
  /// largest at most (four times the worst spread of correct programs, tests/golden/PROVENANCE.md)
  /// as long as no code flips; a side branch, which rounds as other parts do (LowRankUpdate), does
  /// not change that. A flipped code moves them by far more, so codes must keep a distance.
  void expect_near_naive(const std::vector<float>& found) {
    const NaiveModel::Rows expected = has_head_ ? naive_.logits(ids_) : naive_.states(ids_);
    ASSERT_GE(naive_.calm(), kCalm);
    double largest = 1;
    double worst = 0;
    std::size_t i = 0;
    for (const NaiveModel::Row& row : expected) {
      for (const double value : row) {
        largest = std::max(largest, std::abs(value));
        worst = std::max(worst, std::abs(found[i++] - value));
      }
    }
    ASSERT_EQ(i, found.size());
    EXPECT_LE(worst, 2e-5 * largest);
    RecordProperty("worst", std::to_string(worst / largest));
  }

  /// Adapters of which no activation comes near a rounding boundary: the first such seed.
  std::vector<ScaledLora> calm_adapters(const std::vector<std::size_t>& ranks, bool use_rslora,
                                        const std::string& only = "proj") {
    for (std::uint32_t seed = 0; seed < 20000; seed += 1000) {
      naive_.updates.clear();
      std::vector<ScaledLora> result;
      for (const std::size_t rank : ranks) {
        const double factor = result.empty() ? 1 : -0.5;
        result.push_back({random_adapter(naive_, rank, seed + 500 * result.size()), factor});
        LoraAdapter& adapter = result.back().adapter;
        adapter.use_rslora = use_rslora;
        std::erase_if(adapter.matrices,
                      [&](const LoraMatrix& matrix) { return !matrix.module.ends_with(only); });
        const auto r = static_cast<double>(rank);
        give(naive_, adapter, factor * 3 / (use_rslora ? std::sqrt(r) : r));
      }
      has_head_ ? naive_.logits(ids_) : naive_.states(ids_);
      if (naive_.calm() >= kCalm) return result;
    }
    ADD_FAILURE() << "no calm adapter";
    return {};
  }

  static constexpr double kCalm = 3e-5;  // codes; float32 moves x * s of up to 127 by less
  NaiveModel naive_{GetParam()};
  bool has_head_ = std::string(GetParam()).find("embedding") == std::string::npos;
  std::vector<TokenId> ids_ = [] {
    const std::string name = GetParam();
    const auto expected =
        reference::read_golden_json("models/" + name.substr(0, name.find('/')) + "/expected.json");
    auto ids = expected["prompts"]["len7"].get<std::vector<TokenId>>();
    ids.resize(3);
    return ids;
  }();
};

TEST_P(Lora, IsAddedToEachProjectionAsTheFormulaSays) {
  const std::vector<ScaledLora> lora = calm_adapters({4}, false);
  const std::vector<float> found = run(lora);
  expect_near_naive(found);
  // It is no small thing that the test would not notice.
  const std::vector<float> base = run({});
  double change = 0;
  for (std::size_t i = 0; i < base.size(); ++i) {
    change = std::max(change, std::abs(double{found[i]} - base[i]));
  }
  EXPECT_GT(change, 0.1);
}

TEST_P(Lora, SeveralAddUpEachWithItsScale) { expect_near_naive(run(calm_adapters({3, 17}, true))); }

TEST_P(Lora, OneProjectionAloneCanHaveIt) {
  for (const char* name : {"gate_proj", "up_proj", "down_proj", "v_proj", "o_proj"}) {
    expect_near_naive(run(calm_adapters({4}, false, name)));
  }
}

TEST_P(Lora, ZeroBChangesNoBit) {
  LoraAdapter adapter = random_adapter(naive_, 4, 1);
  for (LoraMatrix& matrix : adapter.matrices) std::ranges::fill(matrix.b, 0.0F);
  EXPECT_EQ(run({{adapter}}), run({}));
}

TEST_P(Lora, ThreadsInstructionSetsAndStepsChangeNoBit) {
  const std::vector<ScaledLora> lora = {{random_adapter(naive_, 9, 1)},
                                        {random_adapter(naive_, 2, 2), 0.3}};
  const std::vector<float> expected = run(lora, {.threads = 1, .isa = Isa::scalar});
  for (const Isa isa : supported_isas()) {
    for (const int threads : {1, 2, 3}) {
      for (const std::size_t step : {1, 2, 3}) {
        EXPECT_EQ(run(lora, {.threads = threads, .isa = isa}, step), expected)
            << to_string(isa) << ", " << threads << " threads, steps of " << step;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Lora,
                         testing::Values("bitnet-2b4t/packed", "bitnet-odd/packed",
                                         "llama-ternary/packed", "bitnet-embedding/latent"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

class LoraRefusals : public testing::Test {
 protected:
  /// What load_model says about an adapter of q_proj in layer 0.
  std::string complaint(const std::string& module, std::size_t rows, std::size_t columns) const {
    const LoraAdapter adapter{.rank = 2,
                              .alpha = 2,
                              .matrices = {{module, rows, columns, std::vector<float>(2 * columns),
                                            std::vector<float>(rows * 2)}}};
    try {
      load_model(open_checkpoint(golden_folder("bitnet-odd/packed")), Runtime::serial(),
                 {.lora = {{adapter}}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(LoraRefusals, NameTensorExpectedAndFound) {
  EXPECT_EQ(complaint("model.layers.0.self_attn.q_proj", 192, 192), "");
  EXPECT_EQ(complaint("layers.1.mlp.down_proj", 192, 416), "");
  EXPECT_EQ(complaint("model.layers.0.self_attn.q_proj", 192, 256),
            "tensor model.layers.0.self_attn.q_proj.lora_A.weight: expected shape [2, 192] (from "
            "the model), found [2, 256]");
  EXPECT_EQ(complaint("model.layers.0.self_attn.k_proj", 192, 192),
            "tensor model.layers.0.self_attn.k_proj.lora_B.weight: expected shape [96, 2] (from "
            "the model), found [192, 2]");
  for (const char* module : {"model.layers.2.self_attn.q_proj", "lm_head", "model.embed_tokens",
                             "model.layers.0.input_layernorm"}) {
    EXPECT_NE(complaint(module, 192, 192).find(std::string("adapter of ") + module),
              std::string::npos)
        << complaint(module, 192, 192);
  }
}

TEST_F(LoraRefusals, NumbersThatAreMissing) {
  const LoraAdapter adapter{.rank = 2,
                            .alpha = 2,
                            .matrices = {{"model.layers.0.self_attn.q_proj", 192, 192,
                                          std::vector<float>(2 * 192), std::vector<float>(5)}}};
  EXPECT_THROW(load_model(open_checkpoint(golden_folder("bitnet-odd/packed")), Runtime::serial(),
                          {.lora = {{adapter}}}),
               ShapeMismatch);
}

}  // namespace
}  // namespace bitnet
