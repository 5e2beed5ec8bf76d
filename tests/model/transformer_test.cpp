// SPDX-License-Identifier: MIT
// Oracle: tests/golden/models, computed in float64 by an independent implementation; its README's
// tolerances (PROVENANCE.md).
#include <bitnet/error.h>
#include <bitnet/model.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "reference/golden_file.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path golden_folder(const std::string& name) {
  return fs::path(BITNET_GOLDEN_DIR) / "models" / name;
}

/// A golden model with what is expected of it.
struct GoldenModel {
  explicit GoldenModel(const std::string& folder, const RuntimeOptions& options = {})
      : name(folder.substr(0, folder.find('/'))),
        runtime(options),
        model(load_model(open_checkpoint(golden_folder(folder)), runtime)),
        expected(reference::read_golden_json("models/" + name + "/expected.json")),
        tensors("models/" + name + "/expected.safetensors") {}

  std::vector<TokenId> prompt(const std::string& key) const {
    return expected["prompts"][key].get<std::vector<TokenId>>();
  }

  std::string name;
  Runtime runtime;
  std::unique_ptr<LanguageModel> model;
  json expected;
  reference::GoldenFile tensors;
};

/// Logits of all tokens, computed in one step.
std::vector<float> all_logits(LanguageModel& model, const std::vector<TokenId>& tokens,
                              std::optional<CacheType> type = std::nullopt) {
  const auto cache = model.new_kv_cache(tokens.size(), type);
  std::vector<float> logits(tokens.size() * model.config().vocab_size);
  const SequenceStep step{tokens, cache.get(), OutputRows::all};
  model.forward({&step, 1}, logits);
  return logits;
}

/// Largest difference of two vectors.
double distance(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = std::fabs(double{a[i]} - double{b[i]});
    largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
  }
  return largest;
}

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, CalmPromptsMeetTheTightBar) {
  GoldenModel golden(GetParam());
  for (const std::string key : {"len1", "len7", "len64"}) {
    const std::vector<float> logits = all_logits(*golden.model, golden.prompt(key));
    const double difference = distance(logits, golden.tensors.at(key + "/logits").floats());
    EXPECT_LE(difference, golden.expected["tolerance"][key]["tight_max_abs"].get<double>()) << key;
    RecordProperty(key, std::to_string(difference));
  }
}

TEST_P(Golden, LongPromptMeetsTheBarOfOneFlippedCode) {
  GoldenModel golden(GetParam());
  const std::vector<float> logits = all_logits(*golden.model, golden.prompt("len300"));
  const auto rows = golden.expected["logit_rows"]["len300"].get<std::vector<std::size_t>>();
  const std::size_t vocabulary = golden.model->config().vocab_size;
  std::vector<float> chosen;
  for (const std::size_t row : rows) {
    chosen.insert(chosen.end(), logits.begin() + row * vocabulary,
                  logits.begin() + (row + 1) * vocabulary);
  }
  EXPECT_LE(distance(chosen, golden.tensors.at("len300/logits").floats()),
            golden.expected["tolerance"]["len300"]["max_abs"].get<double>());
}

TEST_P(Golden, HiddenStatesOfEachLayer) {
  GoldenModel golden(GetParam());
  auto& transformer = dynamic_cast<Transformer&>(*golden.model);
  std::vector<float> states;
  transformer.set_observer([&](const std::string&, std::span<const float> values) {
    states.insert(states.end(), values.begin(), values.end());
  });
  const std::vector<TokenId> prompt = golden.prompt("len7");
  const auto cache = transformer.new_kv_cache(prompt.size(), CacheType::f32);
  std::vector<float> normed(prompt.size() * transformer.config().hidden_size);
  const SequenceStep step{prompt, cache.get(), OutputRows::all};
  transformer.hidden_states({&step, 1}, normed);
  states.insert(states.end(), normed.begin(), normed.end());
  // Four times the worst spread of correct programs, which the reference gives for each state.
  const std::vector<float> expected = golden.tensors.at("len7/states").floats();
  const std::size_t size = prompt.size() * transformer.config().hidden_size;
  ASSERT_EQ(states.size(), expected.size());
  for (std::size_t i = 0; i * size < states.size(); ++i) {
    const std::span<const float> wanted(expected.data() + i * size, size);
    const float largest = std::fabs(*std::ranges::max_element(
        wanted, {}, [](float x) { return std::fabs(x); }));
    EXPECT_LE(distance({states.data() + i * size, size}, wanted), 2e-5 * std::max(1.0F, largest))
        << "state " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Values("bitnet-2b4t/latent", "bitnet-2b4t/packed",
                                         "bitnet-odd/packed", "llama-ternary/packed",
                                         "onebitllm/latent"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace_if(
                               name, [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

}  // namespace
}  // namespace bitnet
