// SPDX-License-Identifier: MIT
// BitLinear with gradients against tests/golden/bitlinear: outputs and all gradients of the 38
// layers, also where quantized and float values are mixed (lambda below 1) and in float64. Oracle:
// the golden files, made by an independent implementation (tests/golden/PROVENANCE.md states the
// formulas).
#include <bitnet/train/bit_linear.h>
#include <bitnet/train/functional.h>
#include <gtest/gtest.h>

#include "reference/golden_view.h"
#include "train/golden_tensor.h"

namespace bitnet::train {
namespace {

using nlohmann::json;
using reference::GoldenFile;

TEST(GoldenBitLinearGradients, OutputsAndGradients) {
  const json index = reference::read_golden_json("bitlinear/cases.json");
  const GoldenFile file("bitlinear/bitlinear.safetensors");
  int checked = 0;
  for (const json& c : index.at("cases")) {
    SCOPED_TRACE(c.at("id"));
    const std::string dtype = c.at("dtype");
    const double tolerance = index.at("tolerance").at(dtype);
    const auto golden = [&](const std::string& name) {
      return to_torch(file.at(c.at("id").get<std::string>() + "/" + name));
    };
    const torch::Tensor w = golden("w");
    // BitNetConfig holds eps as float32, which is 3e-8 off: too far for float64.
    const bool norm_in_layer = dtype == "F32";
    const bool has_gain = c.at("norm") == "weighted";
    BitLinear layer(BitLinearOptions(w.size(1), w.size(0))
                        .bias(c.at("bias"))
                        .norm_weight(has_gain)
                        .quantization(norm_in_layer
                                          ? reference::config_of_layer(c)
                                          : reference::config_of_layer(c).with_rms_norm(false)));
    layer->to(w.scalar_type());
    layer->lambda = c.at("lambda");
    {
      const torch::NoGradGuard no_grad;
      layer->weight.copy_(w);
      if (c.at("bias")) layer->bias.copy_(golden("bias"));
      if (has_gain) layer->norm_weight.copy_(golden("gain"));
    }
    const torch::Tensor x = golden("x").requires_grad_();
    const bool norm_outside = !norm_in_layer && c.at("norm") != "none";
    const torch::Tensor y =
        layer->forward(norm_outside ? rms_norm(x, layer->norm_weight, c.at("eps")) : x);
    expect_close(y, golden("y"), tolerance, "y");
    y.backward(golden("dy"));
    expect_close(x.grad(), golden("dx"), tolerance, "dx");
    expect_close(layer->weight.grad(), golden("dw"), tolerance, "dw");
    if (c.at("bias")) expect_close(layer->bias.grad(), golden("dbias"), tolerance, "dbias");
    if (has_gain) {
      expect_close(layer->norm_weight.grad(), golden("dgain"), tolerance, "dgain");
    }
    ++checked;
  }
  EXPECT_EQ(checked, 38);
}

}  // namespace
}  // namespace bitnet::train
