// SPDX-License-Identifier: MIT
// Golden tensors as the library's public views, and golden quantizer forms as its presets.
#pragma once

#include <bitnet/config.h>
#include <bitnet/tensor.h>

#include <stdexcept>
#include <string>

#include "reference/golden_file.h"

namespace bitnet::reference {

inline TensorView view_of(const GoldenTensor& tensor) {
  const DType dtype = tensor.dtype == "F32"   ? DType::f32
                      : tensor.dtype == "F16" ? DType::f16
                      : tensor.dtype == "BF16"
                          ? DType::bf16
                          : throw std::runtime_error("golden tensor: no view of " + tensor.dtype);
  return TensorView(tensor.bytes.data(), dtype, Shape(tensor.shape));
}

/// "divide" is the seed's arithmetic, "multiply" that of the published models.
inline BitNetConfig config_of_form(const std::string& form) {
  return form == "multiply" ? BitNetConfig::b158() : BitNetConfig{};
}

/// Weight scope "tensor", "row" or "groupN".
inline BitNetConfig with_weight_scope(const BitNetConfig& config, const std::string& scope) {
  if (scope == "tensor") {
    return config.with_weight_granularity(Granularity::tensor);
  }
  if (scope == "row") {
    return config.with_weight_granularity(Granularity::row);
  }
  // A negative group wraps to a huge number that is no power of two.
  const long group = std::stol(scope.substr(std::string("group").size()));
  return config.with_weight_granularity(Granularity::group)
      .with_group_size(static_cast<std::size_t>(group));
}

/// Of a case of bitlinear/cases.json.
inline BitNetConfig config_of_layer(const nlohmann::json& c) {
  const std::size_t group = c.at("group");
  const bool norm = c.at("norm") != "none";
  return with_weight_scope(config_of_form(c.at("form")),
                           group == 0 ? std::string("tensor") : "group" + std::to_string(group))
      .with_activation_bits(c.at("bits"))
      .with_rms_norm(norm)
      .with_eps(norm ? c.at("eps").get<float>() : 1e-5F);
}

}  // namespace bitnet::reference
