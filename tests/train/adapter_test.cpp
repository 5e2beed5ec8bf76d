// SPDX-License-Identifier: MIT
// BitNetAdapter. Oracles: the engine with the saved adapter; libtorch's gradients of the same
// formula on dequantized weights; the base itself.
#include <bitnet/error.h>
#include <bitnet/model.h>
#include <bitnet/train/adamw.h>
#include <bitnet/train/adapter.h>
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/model_folder.h>
#include <gtest/gtest.h>

#include "formats/temporary_folder.h"
#include "train/golden_tensor.h"

namespace bitnet::train {
namespace {

const std::string kBase = std::string(BITNET_GOLDEN_DIR) + "/models/bitnet-2b4t/packed";

torch::Tensor random_ids(std::int64_t rows, std::int64_t columns) {
  return torch::randint(0, 512, {rows, columns}, torch::kInt64);
}

TEST(FrozenBitLinear, GradientOfTheInputIsThatOfLatentWeights) {
  torch::manual_seed(5);
  const BitNetConfig b158 = BitNetConfig::b158();
  const torch::Tensor w = torch::randn({24, 40});
  const bitnet::TernaryWeight packed =
      quantize_weights(TensorView(w.data_ptr<float>(), {24, 40}), b158);
  const torch::Tensor x = torch::randn({3, 7, 40}).requires_grad_();
  const torch::Tensor x_of_latents = x.detach().clone().requires_grad_();
  const torch::Tensor y =
      bit_linear(x, std::vector{c10::make_intrusive<FrozenTernary>(packed)}, b158)[0];
  const torch::Tensor expected = bit_linear(x_of_latents, std::vector{w}, b158)[0];
  EXPECT_TRUE(y.equal(expected));
  const torch::Tensor direction = torch::randn_like(y);
  y.backward(direction);
  expected.backward(direction);
  expect_close(x.grad(), x_of_latents.grad(), 1e-6, "dx");
}

TEST(Adapter, ChangesNothingAtFirstAndLearnsAlone) {
  const Checkpoint base = open_checkpoint(kBase);
  BitNetAdapter adapter(base, {.rank = 4, .alpha = 8});
  torch::manual_seed(6);
  const torch::Tensor ids = random_ids(2, 9);
  {
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(adapter.forward(ids).equal(load_frozen_transformer(base)->forward(ids)));
  }
  // 256 to 256 (q, o), 256 to 128 (k, v), 256 to 768 (gate, up), 768 to 256 (down); 3 layers
  EXPECT_EQ(adapter.num_parameters(), 3 * 4 * (2 * 512 + 2 * 384 + 3 * 1024));
  EXPECT_GT(adapter.compression_ratio(), 5);
  adapter.loss(ids.narrow(1, 0, 8), ids.narrow(1, 1, 8).contiguous()).backward();
  for (const auto& parameter : adapter.model()->named_parameters()) {
    const bool is_update = parameter.key().find(".lora_") != std::string::npos;
    EXPECT_EQ(parameter.value().grad().defined(), is_update) << parameter.key();
  }
  adapter.freeze();
  EXPECT_FALSE(adapter.loss(ids, ids).requires_grad());
  adapter.unfreeze();
  EXPECT_TRUE(adapter.loss(ids, ids).requires_grad());
}

TEST(Adapter, EngineComputesWhatWasTrained) {
  const Checkpoint base = open_checkpoint(kBase);
  BitNetAdapter adapter(base, {.rank = 4, .alpha = 8, .target_modules = {"q_proj", "down_proj"}});
  AdamW optimizer(*adapter.model());
  torch::manual_seed(8);
  const torch::Tensor ids = random_ids(2, 17);
  const auto loss = [&] {
    return adapter.loss(ids.narrow(1, 0, 16), ids.narrow(1, 1, 16).contiguous());
  };
  const double before = loss().item<double>();
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step(1e-2, 0);
  }
  EXPECT_LT(loss().item<double>(), before - 0.5);

  const test::TemporaryFolder folder;
  save_lora(adapter.to_lora(), folder.path());
  LoadOptions options;
  options.lora = {{load_lora(folder.path())}};
  const auto engine = load_model(base, Runtime::serial(), options);
  const std::vector<TokenId> tokens = {3, 141, 59, 26, 5, 358};
  const auto cache = engine->new_kv_cache(tokens.size(), CacheType::f32);
  const std::vector<SequenceStep> batch = {
      {.tokens = tokens, .cache = cache.get(), .output = OutputRows::all}};
  torch::Tensor found = torch::empty({1, 6, 512});
  engine->forward(batch, std::span<float>(found.data_ptr<float>(), found.numel()));
  const torch::NoGradGuard no_grad;
  const torch::Tensor expected = adapter.forward(
      torch::tensor(std::vector<std::int64_t>(tokens.begin(), tokens.end())).unsqueeze(0));
  expect_close(found, expected, 2e-5, "logits");
}

TEST(Adapter, RefusesUnknownModules) {
  const Checkpoint base = open_checkpoint(kBase);
  EXPECT_THROW(BitNetAdapter(base, {.target_modules = {"lm_head"}}), InvalidArgument);
  EXPECT_THROW(BitNetAdapter(base, {.rank = 0}), InvalidArgument);
}

}  // namespace
}  // namespace bitnet::train
