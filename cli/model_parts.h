// SPDX-License-Identifier: MIT
// Where in a model a tensor stands, by its Hugging Face or GGUF name alone: names that no known
// model has find a place, too.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace bitnet::cli {

enum class ModelPart { embedding, attention, feed_forward, norm, head, other };

inline constexpr std::array kModelParts = {ModelPart::embedding,    ModelPart::attention,
                                           ModelPart::feed_forward, ModelPart::norm,
                                           ModelPart::head,         ModelPart::other};

/// "Feed-forward"
std::string_view part_title(ModelPart part);
/// "feed-forward": a word for style sheets.
std::string_view part_class(ModelPart part);

struct TensorPlace {
  ModelPart part = ModelPart::other;
  std::optional<std::size_t> layer;
  /// What the layers call it, the same in all of them: "mlp.up_proj", "ffn_up". Empty without a
  /// layer.
  std::string name_in_layer;
};

TensorPlace place_of(std::string_view tensor_name);

}  // namespace bitnet::cli
