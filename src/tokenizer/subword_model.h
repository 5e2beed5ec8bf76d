// SPDX-License-Identifier: MIT
// SubwordModel: how text between added tokens becomes ids.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer_data.h"

namespace bitnet {

/// Immutable; safe to use from many threads at once.
class SubwordModel {
 public:
  virtual ~SubwordModel() = default;

  /// What the normalizer makes of a text; nullopt: it stays as it is.
  virtual std::optional<std::string> normalized(std::string_view text) const = 0;

  /// Appends the ids of a normalized text that is not empty. InvalidArgument for a byte or
  /// character that the vocabulary has no token for.
  virtual void encode(std::string_view normalized, std::vector<TokenId>& ids) const = 0;
};

}  // namespace bitnet
