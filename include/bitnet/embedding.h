// SPDX-License-Identifier: MIT
// One vector for a whole text.
#pragma once

#include <bitnet/model.h>

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bitnet {

enum class Pooling {
  mean,  ///< of all tokens' states
  cls,   ///< the first token's
  last,  ///< the last token's
};
/// "mean", "cls" or "last"; InvalidArgument for anything else.
Pooling parse_pooling_name(std::string_view name);

/// Final hidden states of the tokens, pooled and divided by their length (L2): [hidden_size].
/// nullopt: as the model's files say, else the last token. InvalidArgument for no tokens or more
/// than the model has positions, QuantizationError for a vector of length 0.
std::vector<float> embed(LanguageModel& model, std::span<const TokenId> tokens,
                         std::optional<Pooling> pooling = std::nullopt,
                         std::optional<CacheType> cache_type = std::nullopt);

}  // namespace bitnet
