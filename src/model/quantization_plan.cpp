// SPDX-License-Identifier: MIT
#include "model/quantization_plan.h"

#include <bitnet/error.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "base/message.h"
#include "formats/ternary_encodings.h"

namespace bitnet {
namespace {

void require_float(const StoredTensor& tensor) {
  if (tensor.encoding != Encoding::f32 && tensor.encoding != Encoding::f16 &&
      tensor.encoding != Encoding::bf16) {
    throw UnsupportedError(
        message("tensor ", tensor.name, ": expected F32, F16 or BF16, found ", tensor.type_name));
  }
}

void require_shape(const PlannedTensor& tensor) {
  Shape expected = output_shape(tensor);
  if (is_packed(tensor)) {
    expected = Shape{(tensor.name.rows + 3) / 4, tensor.name.columns};
  }
  if (tensor.source->shape != expected) {
    throw ShapeMismatch(message("tensor ", tensor.source->name, ": expected shape ",
                                expected.to_string(), " (from config.json), found ",
                                tensor.source->shape.to_string()));
  }
}

Encoding choose_encoding(const StoredTensor& source, std::size_t columns,
                         const std::optional<Encoding>& wanted) {
  const auto fits = [&](Encoding encoding) {
    return encoding == Encoding::f16 || columns % required_multiple(encoding) == 0;
  };
  if (!wanted) {
    constexpr std::array kSmallestFirst = {Encoding::i2_s, Encoding::q2_0, Encoding::q4_0,
                                           Encoding::f16};
    return *std::find_if(kSmallestFirst.begin(), kSmallestFirst.end(), fits);
  }
  if (!fits(*wanted)) {
    throw UnsupportedError(message("tensor ", source.name, ": expected a multiple of ",
                                   required_multiple(*wanted), " columns for ", to_string(*wanted),
                                   ", found ", columns));
  }
  return *wanted;
}

const StoredTensor* find_weight_scale(const Checkpoint& input, const StoredTensor& weight) {
  if (weight.encoding != Encoding::u8) {
    return nullptr;
  }
  const StoredTensor* const scale = input.find(weight.name + "_scale");
  if (scale == nullptr) {
    throw FormatError(message("tensor ", weight.name, ": expected ", weight.name,
                              "_scale beside its packed U8 codes, found no such tensor"));
  }
  return scale;
}

}  // namespace

bool is_packed(const PlannedTensor& tensor) { return tensor.weight_scale != nullptr; }

bool has_scale_tensor(const PlannedTensor& tensor) {
  return tensor.name.role == WeightRole::projection && tensor.encoding != Encoding::i2_s;
}

Shape output_shape(const PlannedTensor& tensor) {
  return tensor.name.role == WeightRole::norm ? Shape{tensor.name.columns}
                                              : Shape{tensor.name.rows, tensor.name.columns};
}

std::vector<PlannedTensor> plan_tensors(const Checkpoint& input, const ModelConfig& config,
                                        const ModelFamily& family,
                                        const std::optional<Encoding>& ternary_encoding) {
  std::vector<PlannedTensor> plan;
  std::set<std::string, std::less<>> names;
  for (const StoredTensor& source : input.tensors()) {
    PlannedTensor tensor{&source, translate_weight_name(source.name, config, family),
                         source.encoding};
    if (tensor.name.gguf.empty()) {
      continue;
    }
    if (!names.insert(tensor.name.gguf).second) {
      throw FormatError(message("tensor ", source.name, ": expected one tensor for ",
                                tensor.name.gguf, ", found a second"));
    }
    if (tensor.name.role == WeightRole::projection) {
      tensor.weight_scale = find_weight_scale(input, source);
      tensor.encoding = choose_encoding(source, tensor.name.columns, ternary_encoding);
    } else if (tensor.name.role == WeightRole::norm) {
      tensor.encoding = Encoding::f32;
    }
    if (!is_packed(tensor)) {
      require_float(source);
    }
    require_shape(tensor);
    plan.push_back(std::move(tensor));
  }
  require_complete(names, config, family);
  std::sort(plan.begin(), plan.end(), [](const PlannedTensor& a, const PlannedTensor& b) {
    return a.name.order < b.name.order;
  });
  return plan;
}

std::vector<TensorDeclaration> declarations(const std::vector<PlannedTensor>& plan) {
  std::vector<TensorDeclaration> result;
  for (const PlannedTensor& tensor : plan) {
    result.push_back({tensor.name.gguf, tensor.encoding, output_shape(tensor)});
    if (has_scale_tensor(tensor)) {
      result.push_back({scale_name(tensor.name.gguf), Encoding::f32, Shape{1}});
    }
  }
  return result;
}

HfScaleMeaning scale_meaning(const ModelConfig& config) {
  const std::string linear_class =
      config.quantization_config.value_or(QuantizationConfig{}).linear_class;
  if (linear_class == "bitlinear") {
    return HfScaleMeaning::divisor;
  }
  if (linear_class == "autobitlinear") {
    return HfScaleMeaning::multiplier;
  }
  throw UnsupportedError(
      message("config.json: key \"quantization_config.linear_class\": expected bitlinear or "
              "autobitlinear, found ",
              linear_class));
}

}  // namespace bitnet
