// SPDX-License-Identifier: MIT
// BitLinear: construction, shapes, bias, refusals. Oracle: the integer product of
// tests/reference/naive_matmul.h with scales applied in double, and results worked out by hand.
#include <bitnet/bit_linear.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reference/naive_matmul.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::normal_floats;
using reference::random_trits;

const BitNetConfig kPlain = BitNetConfig::b158();

/// y = Σ_g S_g * scale_g * scale_x + bias in double.
std::vector<double> naive_forward(const QuantizedActivations& x, const TernaryWeight& w,
                                  const std::vector<float>& bias) {
  const std::size_t inputs = w.in_features();
  const auto sums = reference::naive_product(x.data, w.trits(), inputs, inputs / w.groups());
  const auto scales = w.scales();
  std::vector<double> y;
  for (std::size_t t = 0; t < x.tokens(); ++t) {
    for (std::size_t n = 0; n < w.out_features(); ++n) {
      double total = 0;
      for (std::size_t g = 0; g < w.groups(); ++g) {
        const std::size_t scale = scales.size() == 1 ? 0 : n * w.groups() + g;
        total +=
            static_cast<double>(sums[(t * w.groups() + g) * w.out_features() + n]) * scales[scale];
      }
      y.push_back(total * x.scale(t) + (bias.empty() ? 0.0 : bias[n]));
    }
  }
  return y;
}

// Both sums differ by their roundings: one per group's product and sum, four more for scale, bias.
void expect_close(const std::vector<float>& found, const std::vector<double>& expected,
                  std::size_t groups) {
  ASSERT_EQ(found.size(), expected.size());
  double largest = 0;
  for (const double value : expected) {
    largest = std::max(largest, std::fabs(value));
  }
  const double tolerance = largest * static_cast<double>(2 * groups * groups + 8) * 0x1p-24;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], tolerance) << i;
  }
}

TEST(BitLinear, ForwardQuantizedIsTheScaledIntegerProduct) {
  const std::vector<float> weight = normal_floats(45 * 128, 1, 0.02F);
  const std::vector<float> bias = normal_floats(45, 2);
  const std::vector<float> x = normal_floats(6 * 128, 3);
  for (const Granularity granularity :
       {Granularity::tensor, Granularity::row, Granularity::group}) {
    for (const std::size_t group : {8, 32, 128}) {
      const BitNetConfig config =
          BitNetConfig{}.with_weight_granularity(granularity).with_group_size(group);
      const auto layer = BitLinear::from_weight({weight.data(), Shape{45, 128}}, bias, config);
      for (const bool per_token : {true, false}) {
        const auto codes = quantize_activations({x.data(), Shape{6, 128}},
                                                config.with_per_token_activation(per_token));
        const auto sums = layer.integer_product(codes);
        EXPECT_EQ(std::vector<std::int64_t>(sums.begin(), sums.end()),
                  reference::naive_product(codes.data, layer.weight().trits(), 128,
                                           128 / layer.weight().groups()));
        expect_close(layer.forward_quantized(codes).data,
                     naive_forward(codes, layer.weight(), bias), layer.weight().groups());
      }
    }
  }
}

TEST(BitLinear, ShapesFollowTheInput) {
  const std::vector<float> weight = normal_floats(10 * 64, 1);
  const auto layer = BitLinear::from_weight({weight.data(), Shape{10, 64}});
  EXPECT_EQ(layer.in_features(), 64U);
  EXPECT_EQ(layer.out_features(), 10U);
  EXPECT_TRUE(layer.bias().empty());
  const std::vector<float> x = normal_floats(6 * 64, 2);
  const Tensor flat = layer.forward({x.data(), Shape{6, 64}});
  const Tensor deep = layer.forward({x.data(), Shape{2, 3, 64}});
  EXPECT_EQ(flat.shape, (Shape{6, 10}));
  EXPECT_EQ(deep.shape, (Shape{2, 3, 10}));
  EXPECT_EQ(flat.data, deep.data);
  EXPECT_EQ(layer.forward({x.data(), Shape{0, 64}}).shape, (Shape{0, 10}));
}

TEST(BitLinear, ForwardIsNormQuantizeProduct) {
  const std::vector<float> weight = normal_floats(20 * 64, 1);
  const std::vector<float> gain = normal_floats(64, 2);
  const std::vector<float> x = normal_floats(5 * 64, 3);
  const TensorView view(x.data(), Shape{5, 64});
  const TensorView weight_view(weight.data(), Shape{20, 64});

  const auto plain = BitLinear::from_weight(weight_view, {}, kPlain);
  EXPECT_EQ(plain.forward(view).data,
            plain.forward_quantized(quantize_activations(view, kPlain)).data);

  const auto normed = BitLinear::from_weight(weight_view, {}, kPlain.with_rms_norm(true));
  const auto gained = normed.with_norm_weight(gain);
  for (const auto* layer : {&normed, &gained}) {
    const Tensor xn = rms_norm(view, layer->norm_weight(), layer->config().eps);
    EXPECT_EQ(layer->forward(view).data, plain.forward(xn.view()).data);
  }
  EXPECT_NE(normed.forward(view).data, gained.forward(view).data);
  EXPECT_TRUE(normed.norm_weight().empty()) << "with_norm_weight returns another layer";
}

TEST(BitLinear, WritesIntoTheCallersMemory) {
  const std::vector<float> weight = normal_floats(33 * 64, 1);
  const auto layer = BitLinear::from_weight({weight.data(), Shape{33, 64}}, {}, kPlain);
  const std::vector<float> x = normal_floats(4 * 64, 2);
  const auto codes = quantize_activations({x.data(), Shape{4, 64}}, kPlain);
  std::vector<float> y(4 * 33 + 1, 77.0F);
  layer.forward_quantized(codes, std::span(y).first(4 * 33));
  EXPECT_EQ(y.back(), 77.0F);
  y.pop_back();
  EXPECT_EQ(y, layer.forward_quantized(codes).data);
  EXPECT_THROW(layer.forward_quantized(codes, std::span(y).first(4 * 33 - 1)), ShapeMismatch);
}

TEST(BitLinear, FromQuantizedKeepsTheWeight) {
  const auto trits = random_trits(40 * 50, 1);
  for (const TileLayout layout : {TileLayout::t16, TileLayout::t2, TileLayout::t16p}) {
    const float scale = 0.5F;
    const auto weight =
        TernaryWeight::pack(trits, 40, 50, {&scale, 1}, Granularity::tensor, 0, layout);
    const std::vector<float> bias = normal_floats(40, 2);
    const auto layer = BitLinear::from_quantized(weight, bias, kPlain);
    EXPECT_EQ(layer.weight().trits(), trits);
    EXPECT_EQ(layer.sparsity(), weight.sparsity());
    EXPECT_EQ(layer.compression_ratio(), weight.compression_ratio());
    EXPECT_TRUE(std::ranges::equal(layer.bias(), bias));
    EXPECT_EQ(layer.config(), kPlain);
    const std::vector<float> x = normal_floats(3 * 50, 3);
    const auto codes = quantize_activations({x.data(), Shape{3, 50}}, kPlain);
    expect_close(layer.forward_quantized(codes).data, naive_forward(codes, weight, bias), 1);
  }
}

TEST(BitLinear, ZeroInputsGiveTheBias) {
  const std::vector<float> weight = normal_floats(7 * 64, 1);
  const std::vector<float> bias = normal_floats(7, 2);
  const std::vector<float> x(2 * 64, 0.0F);
  for (const BitNetConfig& config : {BitNetConfig{}, kPlain}) {
    const auto layer = BitLinear::from_weight({weight.data(), Shape{7, 64}}, bias, config);
    const Tensor y = layer.forward({x.data(), Shape{2, 64}});
    EXPECT_TRUE(std::equal(bias.begin(), bias.end(), y.data.begin()));
    EXPECT_TRUE(std::equal(bias.begin(), bias.end(), y.data.begin() + 7));
  }
}

TEST(BitLinear, WrongShapesAndValuesAreErrors) {
  const std::vector<float> weight = normal_floats(8 * 64, 1);
  const TensorView view(weight.data(), Shape{8, 64});
  const std::vector<float> seven(7, 1.0F);
  std::vector<float> bad_bias(8, 1.0F);
  bad_bias[5] = NAN;
  EXPECT_THROW(BitLinear::from_weight(view, seven), ShapeMismatch);
  EXPECT_THROW(BitLinear::from_weight(view, bad_bias), NonFiniteError);
  EXPECT_THROW(BitLinear::from_weight(view, {}, BitNetConfig{}.with_activation_bits(1)),
               InvalidConfig);

  const auto layer = BitLinear::from_weight(view);
  EXPECT_THROW((void)layer.with_norm_weight(seven), ShapeMismatch);
  std::vector<float> x(2 * 64, 1.0F);
  EXPECT_THROW(layer.forward({x.data(), Shape{2, 63}}), ShapeMismatch);
  EXPECT_THROW(layer.forward({x.data(), Shape{64}}), ShapeMismatch);
  EXPECT_THROW(layer.forward({x.data(), Shape{1, 1, 2, 64}}), ShapeMismatch);
  x[64 + 9] = INFINITY;
  try {
    layer.forward({x.data(), Shape{2, 64}});
    ADD_FAILURE() << "accepted";
  } catch (const NonFiniteError& error) {
    EXPECT_EQ(error.row, 1U);
    EXPECT_EQ(error.column, 9U);
  }
}

TEST(BitLinear, ActivationsThatDoNotFitAreErrors) {
  const std::vector<float> weight = normal_floats(8 * 64, 1);
  const auto layer = BitLinear::from_weight({weight.data(), Shape{8, 64}});
  const QuantizedActivations good{
      std::vector<std::int8_t>(128, 1), {1.0F, 1.0F}, Shape{2, 64}, true};
  EXPECT_EQ(layer.forward_quantized(good).shape, (Shape{2, 8}));
  std::vector<QuantizedActivations> bad(4, good);
  bad[0].shape = Shape{128};
  bad[1].shape = Shape{4, 32};
  bad[2].data.pop_back();
  bad[3].scales.pop_back();
  for (const QuantizedActivations& q : bad) {
    EXPECT_THROW(layer.forward_quantized(q), ShapeMismatch);
    EXPECT_THROW(layer.integer_product(q), ShapeMismatch);
  }
}

}  // namespace
}  // namespace bitnet
