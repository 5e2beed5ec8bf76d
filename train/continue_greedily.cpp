// SPDX-License-Identifier: MIT
#include <bitnet/error.h>
#include <bitnet/train/continue_greedily.h>
#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "base/message.h"
#include "evaluation_mode.h"

namespace bitnet::train {
namespace {

/// Texts that are computed together.
constexpr std::size_t kBatch = 64;

using Tokens = std::vector<TokenId>;

/// The likeliest token behind each text. Padding stands behind them, where nothing sees it.
Tokens next_tokens(TransformerImpl& model, const std::vector<Tokens>& texts) {
  const std::size_t longest = std::ranges::max(texts, {}, &Tokens::size).size();
  const auto rows = static_cast<std::int64_t>(texts.size());
  torch::Tensor ids = torch::zeros({rows, static_cast<std::int64_t>(longest)}, torch::kInt64);
  std::vector<std::int64_t> last;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::ranges::copy(texts[row], ids[row].data_ptr<std::int64_t>());
    last.push_back(static_cast<std::int64_t>(texts[row].size()) - 1);
  }
  const torch::Device device = model.embedding().device();
  const torch::Tensor logits = model.forward(ids.to(device));
  const torch::Tensor best =
      logits.index({torch::arange(rows, device), torch::tensor(last, torch::kInt64).to(device)})
          .argmax(1)
          .cpu();
  const auto* const found = best.data_ptr<std::int64_t>();
  return {found, found + rows};
}

/// Continues the prompts of one batch.
std::vector<Tokens> continue_batch(TransformerImpl& model, std::span<const Tokens> prompts,
                                   std::size_t limit) {
  const ModelConfig& config = model.config();
  std::vector<Tokens> results(prompts.size());
  std::vector<std::size_t> open(prompts.size());  // those that have not ended
  std::iota(open.begin(), open.end(), 0);
  for (std::size_t step = 0; step < limit && !open.empty(); ++step) {
    std::vector<Tokens> texts;
    for (const std::size_t i : open) {
      texts.emplace_back(prompts[i])
          .insert(texts.back().end(), results[i].begin(), results[i].end());
    }
    const Tokens next = next_tokens(model, texts);
    std::vector<std::size_t> still_open;
    for (std::size_t k = 0; k < open.size(); ++k) {
      const bool is_end = std::ranges::count(config.eos_token_ids, next[k]) != 0;
      if (!is_end) {
        results[open[k]].push_back(next[k]);
      }
      if (!is_end && texts[k].size() + 1 < config.max_position_embeddings) {
        still_open.push_back(open[k]);
      }
    }
    open = std::move(still_open);
  }
  return results;
}

}  // namespace

std::vector<Tokens> continue_greedily(TransformerImpl& model, const std::vector<Tokens>& prompts,
                                      std::size_t limit) {
  for (const Tokens& prompt : prompts) {
    if (prompt.empty() || prompt.size() >= model.config().max_position_embeddings) {
      throw InvalidArgument(message("prompt: expected 1 to ",
                                    model.config().max_position_embeddings - 1, " tokens, found ",
                                    prompt.size()));
    }
  }
  const EvaluationMode evaluation(model);
  std::vector<Tokens> results;
  for (std::size_t first = 0; first < prompts.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, prompts.size() - first);
    std::ranges::move(continue_batch(model, std::span(prompts).subspan(first, count), limit),
                      std::back_inserter(results));
  }
  return results;
}

}  // namespace bitnet::train
