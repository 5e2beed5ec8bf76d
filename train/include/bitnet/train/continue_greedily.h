// SPDX-License-Identifier: MIT
// What a model says, where the engine cannot run it: float twins.
#pragma once

#include <bitnet/tokenizer.h>
#include <bitnet/train/transformer.h>

#include <cstddef>
#include <vector>

namespace bitnet::train {

/// Each prompt, of at least one token, continued by its likeliest tokens: up to an EOS, which is
/// left out, `limit` tokens or the model's last position. Keeps no cache, so each token costs a
/// pass over all texts of its batch: for short ones.
std::vector<std::vector<TokenId>> continue_greedily(
    TransformerImpl& model, const std::vector<std::vector<TokenId>>& prompts, std::size_t limit);

}  // namespace bitnet::train
