// SPDX-License-Identifier: MIT
// What is trained runs: a model of every family, saved, converted and loaded by the engine. Oracle:
// the trainer's own forward pass; for codes the bytes of both.
#include <bitnet/checkpoint.h>
#include <bitnet/convert_checkpoint.h>
#include <bitnet/embedding.h>
#include <bitnet/model.h>
#include <bitnet/perplexity.h>
#include <bitnet/quantize.h>
#include <bitnet/train/model_folder.h>
#include <bitnet/train/transformer.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "formats/temporary_folder.h"
#include "model/model_family.h"
#include "train/golden_tensor.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

/// A member of the family, of sizes that no two agree in and that its formats can hold.
ModelConfig small_member(const ModelFamily& family) {
  ModelConfig config;
  config.architectures = {std::string(family.hugging_face)};
  config.model_type = family.model_type;
  config.hidden_act = family.hidden_act;
  config.hidden_size = 128;
  config.intermediate_size = 256;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 64;
  config.vocab_size = 96;
  config.max_position_embeddings = 64;
  config.rms_norm_eps = 1e-5;
  config.rope_theta = 10000;
  config.tie_word_embeddings = family.has_head && family.hugging_face != "LlamaForCausalLM";
  if (config.model_type == "gemma3_text") {
    config.rope_local_theta = 1000;
    config.sliding_window = 4;
    config.sliding_window_pattern = 6;  // the one that Gemma's GGUF files stand for
    config.num_hidden_layers = 7;
  }
  if (!family.has_head) {
    config.tie_word_embeddings = true;
    config.pooling = "last";
  }
  return config;
}

/// Weights as training leaves them: gains are no ones.
Transformer trained_model(const ModelConfig& config) {
  torch::manual_seed(7);
  Transformer model(config, TransformerOptions{.initializer_range = 0.05});
  const torch::NoGradGuard no_grad;
  for (auto& parameter : model->parameters()) {
    if (parameter.dim() == 1) parameter.add_(torch::randn_like(parameter), 0.1);
  }
  return model;
}

std::vector<TokenId> random_tokens(std::size_t count, std::uint64_t vocab_size) {
  const torch::Tensor ids = torch::randint(0, static_cast<std::int64_t>(vocab_size),
                                           {static_cast<std::int64_t>(count)}, torch::kInt64);
  return {ids.data_ptr<std::int64_t>(), ids.data_ptr<std::int64_t>() + count};
}

torch::Tensor ids_of(const std::vector<TokenId>& tokens) {
  return torch::tensor(std::vector<std::int64_t>(tokens.begin(), tokens.end())).unsqueeze(0);
}

/// Logits, or the states of a model without head, as the engine computes them.
torch::Tensor engine_output(LanguageModel& model, const std::vector<TokenId>& tokens,
                            bool has_head) {
  const auto cache = model.new_kv_cache(tokens.size(), CacheType::f32);
  const std::vector<SequenceStep> batch = {
      {.tokens = tokens, .cache = cache.get(), .output = OutputRows::all}};
  const auto width =
      static_cast<std::int64_t>(has_head ? model.config().vocab_size : model.config().hidden_size);
  torch::Tensor out = torch::empty({1, static_cast<std::int64_t>(tokens.size()), width});
  const std::span<float> values(out.data_ptr<float>(), out.numel());
  if (has_head) {
    model.forward(batch, values);
  } else {
    model.hidden_states(batch, values);
  }
  return out;
}

class Export : public testing::TestWithParam<ModelFamily> {
 protected:
  test::TemporaryFolder folder;
};

// Sums of a few hundred float32 products in another order, through three layers. Where they flipped
// a code the difference would be a hundred times larger: the tokens are such that none flips.
constexpr double kTolerance = 2e-5;

TEST_P(Export, EngineComputesWhatTheTrainerEvaluates) {
  const ModelFamily& family = GetParam();
  Transformer model = trained_model(small_member(family));
  const torch::NoGradGuard no_grad;
  const std::vector<TokenId> tokens = random_tokens(9, model->config().vocab_size);
  const torch::Tensor expected =
      family.has_head ? model->forward(ids_of(tokens)) : model->hidden_states(ids_of(tokens));
  save_transformer(*model, folder.path() / "latent");
  const Checkpoint latent = open_checkpoint(folder.path() / "latent");
  convert_checkpoint(latent, folder.path() / "packed",
                     {.format = Checkpoint::Format::safetensors,
                      .matrix_encoding = Encoding::u8,
                      .ternarize = true});
  convert_checkpoint(latent, folder.path() / "model.gguf", {.ternarize = true});
  for (const char* name : {"latent", "packed", "model.gguf"}) {
    SCOPED_TRACE(name);
    const Checkpoint checkpoint = open_checkpoint(folder.path() / name);
    const auto engine = load_model(checkpoint, Runtime::serial());
    expect_close(engine_output(*engine, tokens, family.has_head), expected, kTolerance, "output");
  }
}

TEST_P(Export, SameCodesFromEveryFormat) {
  Transformer model = trained_model(small_member(GetParam()));
  save_transformer(*model, folder.path() / "latent");
  const Checkpoint latent = open_checkpoint(folder.path() / "latent");
  convert_checkpoint(latent, folder.path() / "model.gguf", {.ternarize = true});
  Transformer again = load_transformer(open_checkpoint(folder.path() / "model.gguf"));
  const BitNetConfig b158 = BitNetConfig::b158();
  for (std::size_t i = 0; i < model->projections().size(); ++i) {
    const TensorView before(
        model->projections()[i].weight.data_ptr<float>(),
        Shape{static_cast<std::size_t>(model->projections()[i].weight.size(0)),
              static_cast<std::size_t>(model->projections()[i].weight.size(1))});
    const TensorView after(again->projections()[i].weight.data_ptr<float>(), before.shape());
    const bitnet::TernaryWeight expected = quantize_weights(before, b158);
    const bitnet::TernaryWeight found = quantize_weights(after, b158);
    EXPECT_EQ(found.trits(), expected.trits()) << model->projections()[i].name;
    // The mean of equal magnitudes is rounded once more.
    EXPECT_FLOAT_EQ(found.scales()[0], expected.scales()[0]) << model->projections()[i].name;
  }
}

TEST_P(Export, PerplexityToFourDigits) {
  if (!GetParam().has_head) GTEST_SKIP() << "no logits";
  Transformer model = trained_model(small_member(GetParam()));
  const torch::NoGradGuard no_grad;
  const std::vector<TokenId> tokens = random_tokens(256, model->config().vocab_size);
  constexpr std::int64_t kWindow = 32;
  const torch::Tensor windows = ids_of(tokens).view({-1, kWindow});
  const double loss =
      model->loss(windows.narrow(1, 0, kWindow - 1), windows.narrow(1, 1, kWindow - 1).contiguous())
          .item<double>();
  save_transformer(*model, folder.path() / "latent");
  const auto engine = load_model(open_checkpoint(folder.path() / "latent"), Runtime::serial());
  const PerplexityResult result =
      evaluate_perplexity(*engine, tokens, nullptr, {.context = kWindow});
  EXPECT_EQ(result.scored_tokens, tokens.size() / kWindow * (kWindow - 1));
  EXPECT_NEAR(result.perplexity(), std::exp(loss), 5e-4 * std::exp(loss));
}

INSTANTIATE_TEST_SUITE_P(Families, Export,
                         testing::ValuesIn(known_model_families().begin(),
                                           known_model_families().end()),
                         [](const auto& tested) {
                           std::string name = std::string(tested.param.hugging_face) + "_" +
                                              std::string(tested.param.hidden_act);
                           return name;
                         });

}  // namespace
}  // namespace bitnet::train
