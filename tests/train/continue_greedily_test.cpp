// SPDX-License-Identifier: MIT
// What a model says, token by token. Oracle: the engine's greedy generation of the same weights.
#include <bitnet/checkpoint.h>
#include <bitnet/error.h>
#include <bitnet/generation.h>
#include <bitnet/model.h>
#include <bitnet/train/continue_greedily.h>
#include <bitnet/train/model_folder.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "formats/temporary_folder.h"
#include "train/small_config.h"

namespace bitnet::train {
namespace {

constexpr TokenId kEnd = 3;
constexpr std::size_t kPositions = 24;

ModelConfig small_model() {
  ModelConfig config = small_config();
  config.vocab_size = 40;
  config.max_position_embeddings = kPositions;
  config.eos_token_ids = {kEnd};
  return config;
}

TEST(ContinueGreedily, SaysWhatTheEngineSays) {
  torch::manual_seed(5);
  Transformer model(small_model(), TransformerOptions{.initializer_range = 0.3});
  const test::TemporaryFolder folder;
  save_transformer(*model, folder.path());
  const auto engine = load_model(open_checkpoint(folder.path()), Runtime::serial());

  std::vector<std::vector<TokenId>> prompts;  // more than a batch, of many lengths
  for (std::size_t i = 0; i < 70; ++i) {
    const torch::Tensor ids = torch::randint(4, 40, {static_cast<std::int64_t>(1 + i % 9)});
    prompts.emplace_back();
    for (std::int64_t k = 0; k < ids.size(0); ++k) {
      prompts.back().push_back(static_cast<TokenId>(ids[k].item<std::int64_t>()));
    }
  }
  model->set_dropout(0.5);  // is for training
  const auto found = continue_greedily(*model, prompts, 12);
  ASSERT_EQ(found.size(), prompts.size());
  std::size_t ended = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    SCOPED_TRACE(i);
    Session session(*engine, nullptr);
    GenerationResult expected =
        session.generate(std::span<const TokenId>(prompts[i]), {.max_new_tokens = 12});
    if (!expected.tokens.empty() && expected.tokens.back() == kEnd) {
      expected.tokens.pop_back();
      ++ended;
    }
    EXPECT_EQ(found[i], expected.tokens);
  }
  EXPECT_GT(ended, 0U);
  EXPECT_LT(ended, prompts.size());
}

TEST(ContinueGreedily, StopsAtTheLastPosition) {
  torch::manual_seed(5);
  ModelConfig config = small_model();
  config.eos_token_ids = {};
  Transformer model(config);
  const std::vector<TokenId> prompt(kPositions - 5, 7);
  EXPECT_EQ(continue_greedily(*model, {prompt}, 100).front().size(), 5U);
  EXPECT_TRUE(continue_greedily(*model, {prompt}, 0).front().empty());
  EXPECT_THROW(continue_greedily(*model, {std::vector<TokenId>(kPositions, 7)}, 1),
               InvalidArgument);
  EXPECT_THROW(continue_greedily(*model, {{}}, 1), InvalidArgument);
}

}  // namespace
}  // namespace bitnet::train
