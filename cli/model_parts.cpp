// SPDX-License-Identifier: MIT
#include "model_parts.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

namespace bitnet::cli {
namespace {

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

/// The first match wins: "attn_sub_norm" is a norm, "attn_output" no head.
ModelPart part_of(std::string_view name) {
  if (contains_any(name, {"norm"})) {
    return ModelPart::norm;
  }
  if (contains_any(name, {"attn", "attention"})) {
    return ModelPart::attention;
  }
  if (contains_any(name, {"mlp", "ffn", "feed_forward"})) {
    return ModelPart::feed_forward;
  }
  if (contains_any(name, {"embed", "embd", "wte"})) {
    return ModelPart::embedding;
  }
  if (contains_any(name, {"lm_head"}) || name.starts_with("output.")) {
    return ModelPart::head;
  }
  return ModelPart::other;
}

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

}  // namespace

std::string_view part_title(ModelPart part) {
  switch (part) {
    case ModelPart::embedding:
      return "Embedding";
    case ModelPart::attention:
      return "Attention";
    case ModelPart::feed_forward:
      return "Feed-forward";
    case ModelPart::norm:
      return "Norms";
    case ModelPart::head:
      return "Head";
    case ModelPart::other:
      break;
  }
  return "Other";
}

std::string_view part_class(ModelPart part) {
  switch (part) {
    case ModelPart::embedding:
      return "embedding";
    case ModelPart::attention:
      return "attention";
    case ModelPart::feed_forward:
      return "feed-forward";
    case ModelPart::norm:
      return "norm";
    case ModelPart::head:
      return "head";
    case ModelPart::other:
      break;
  }
  return "other";
}

TensorPlace place_of(std::string_view tensor_name) {
  TensorPlace place{part_of(tensor_name), std::nullopt, {}};
  for (const std::string_view prefix : {"blk.", "layers.", "h.", "blocks."}) {
    const std::size_t found = tensor_name.find(prefix);
    if (found == std::string_view::npos || (found != 0 && tensor_name[found - 1] != '.')) {
      continue;
    }
    const std::string_view rest = tensor_name.substr(found + prefix.size());
    std::size_t layer = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
    const auto digits = static_cast<std::size_t>(end - rest.data());
    if (error == std::errc() && digits < rest.size() && rest[digits] == '.') {
      place.layer = layer;
      place.name_in_layer = without_suffix(rest.substr(digits + 1), ".weight");
      break;
    }
  }
  return place;
}

}  // namespace bitnet::cli
