// SPDX-License-Identifier: MIT
// quantize_activations and dequantize_activations: shapes, bounds, reuse, threads. Oracles: the
// naive loops of tests/reference and counts worked out by hand.
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "reference/float_distance.h"
#include "reference/naive_quantize.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::Form;
using reference::normal_floats;

TEST(QuantizeActivations, TwoDimensionsGiveOneScalePerRow) {
  const std::vector<float> x = normal_floats(4 * 128, 1);
  const QuantizedActivations q = quantize_activations({x.data(), Shape{4, 128}});
  EXPECT_EQ(q.shape, (Shape{4, 128}));
  EXPECT_EQ(q.data.size(), 512U);
  EXPECT_EQ(q.scales.size(), 4U);
  EXPECT_TRUE(q.per_token);
  EXPECT_EQ(q.batch_size(), 4U);
  EXPECT_EQ(q.hidden_dim(), 128U);
  EXPECT_EQ(q.numel(), 512U);
  EXPECT_EQ(q.tokens(), 4U);
}

TEST(QuantizeActivations, ThreeDimensionsGiveOneScalePerToken) {
  const std::vector<float> x = normal_floats(2 * 16 * 128, 2);
  const QuantizedActivations q = quantize_activations({x.data(), Shape{2, 16, 128}});
  EXPECT_EQ(q.shape, (Shape{2, 16, 128}));
  EXPECT_EQ(q.scales.size(), 32U);
  EXPECT_EQ(q.batch_size(), 2U);
  EXPECT_EQ(q.seq_len(), 16U);
  EXPECT_EQ(q.hidden_dim(), 128U);
  EXPECT_EQ(q.numel(), 4096U);
}

TEST(QuantizeActivations, CodesStayWithinQmaxForEveryBitWidth) {
  const std::vector<float> x = normal_floats(8 * 100, 3);
  for (int bits = 2; bits <= 8; ++bits) {
    const int qmax = (1 << (bits - 1)) - 1;
    const auto q =
        quantize_activations({x.data(), Shape{8, 100}}, BitNetConfig{}.with_activation_bits(bits));
    int largest = 0;
    for (const std::int8_t code : q.data) {
      largest = std::max(largest, std::abs(code));
    }
    EXPECT_EQ(largest, qmax) << bits << " bits";  // the row's largest magnitude always reaches it
  }
}

TEST(QuantizeActivations, ZerosGiveZerosAndTheScaleOne) {
  const std::vector<float> x(3 * 40, 0.0F);
  const QuantizedActivations q = quantize_activations({x.data(), Shape{3, 40}});
  EXPECT_EQ(q.data, std::vector<std::int8_t>(120, 0));
  EXPECT_EQ(q.scales, std::vector<float>(3, 1.0F));
}

TEST(QuantizeActivations, OtherRanksAreErrors) {
  const std::vector<float> x(16, 1.0F);
  EXPECT_THROW(quantize_activations({x.data(), Shape{}}), ShapeMismatch);
  EXPECT_THROW(quantize_activations({x.data(), Shape{16}}), ShapeMismatch);
  EXPECT_THROW(quantize_activations({x.data(), Shape{2, 2, 2, 2}}), ShapeMismatch);
}

TEST(QuantizeActivations, NoTokensGiveNoCodes) {
  const QuantizedActivations q =
      quantize_activations(TensorView(static_cast<const float*>(nullptr), Shape{0, 8}));
  EXPECT_EQ(q.numel(), 0U);
  EXPECT_EQ(q.scales.size(), 0U);
}

TEST(QuantizeActivations, EveryMixOfFieldsFollowsItsFormula) {
  const std::vector<float> x = normal_floats(5 * 77, 4, 3.0F);
  for (const Form form : {Form::divide, Form::multiply}) {
    for (int bits = 2; bits <= 8; ++bits) {
      for (const bool per_token : {true, false}) {
        const auto expected = reference::naive_activations(x, 77, form, bits, per_token);
        const auto q = quantize_activations(
            {x.data(), Shape{5, 77}}, (form == Form::divide ? BitNetConfig{} : BitNetConfig::b158())
                                          .with_activation_bits(bits)
                                          .with_per_token_activation(per_token));
        EXPECT_EQ(std::vector<int>(q.data.begin(), q.data.end()), expected.codes)
            << bits << " bits, per token " << per_token;
      }
    }
  }
}

TEST(QuantizeActivations, TheOutParameterIsReusedAndOverwritten) {
  const std::vector<float> large = normal_floats(6 * 64, 5);
  const std::vector<float> small = normal_floats(2 * 3 * 16, 6);
  QuantizedActivations out;
  quantize_activations({large.data(), Shape{6, 64}}, {}, out);
  const std::int8_t* storage = out.data.data();
  const BitNetConfig config = BitNetConfig{}.with_per_token_activation(false);
  quantize_activations({small.data(), Shape{2, 3, 16}}, config, out);
  EXPECT_EQ(out.data.data(), storage) << "a smaller result needs no new memory";
  const QuantizedActivations fresh = quantize_activations({small.data(), Shape{2, 3, 16}}, config);
  EXPECT_EQ(out.data, fresh.data);
  EXPECT_EQ(out.scales, fresh.scales);
  EXPECT_EQ(out.shape, fresh.shape);
  EXPECT_EQ(out.per_token, fresh.per_token);
}

TEST(QuantizeActivations, ThreadsDoNotChangeTheResultNorTheErrorNamed) {
  std::vector<float> x = normal_floats(700 * 65, 7);
  const Runtime threaded({.threads = 3, .isa = std::nullopt});
  for (const bool per_token : {true, false}) {
    const BitNetConfig config = BitNetConfig{}.with_per_token_activation(per_token);
    const auto serial = quantize_activations({x.data(), Shape{700, 65}}, config);
    const auto parallel = quantize_activations({x.data(), Shape{700, 65}}, config, threaded);
    EXPECT_EQ(serial.data, parallel.data);
    EXPECT_EQ(serial.scales, parallel.scales);
  }
  x[650 * 65 + 3] = NAN;
  x[201 * 65 + 64] = INFINITY;
  x[699 * 65] = NAN;
  for (const bool per_token : {true, false}) {
    try {
      quantize_activations({x.data(), Shape{700, 65}},
                           BitNetConfig{}.with_per_token_activation(per_token), threaded);
      ADD_FAILURE() << "accepted";
    } catch (const NonFiniteError& error) {
      EXPECT_EQ(error.row, 201U);
      EXPECT_EQ(error.column, 64U);
    }
  }
}

TEST(DequantizeActivations, MultipliesEachCodeByItsScale) {
  QuantizedActivations q;
  q.data = {1, -2, 3, 127, 0, -127};
  q.scales = {0.5F, 0.1F};
  q.shape = Shape{2, 1, 3};
  const Tensor x = dequantize_activations(q);
  EXPECT_EQ(x.shape, (Shape{2, 1, 3}));
  EXPECT_EQ(x.data, (std::vector<float>{0.5F, -1.0F, 1.5F, 127 * 0.1F, 0.0F, -127 * 0.1F}));
  q.per_token = false;
  q.scales = {2.0F};
  EXPECT_EQ(dequantize_activations(q).data, (std::vector<float>{2, -4, 6, 254, 0, -254}));
}

TEST(DequantizeActivations, PartsThatDisagreeAreErrors) {
  const QuantizedActivations good{{1, 2, 3, 4}, {1.0F, 1.0F}, Shape{2, 2}, true};
  EXPECT_EQ(dequantize_activations(good).data.size(), 4U);
  QuantizedActivations bad = good;
  bad.shape = Shape{4};
  EXPECT_THROW(dequantize_activations(bad), ShapeMismatch);
  bad = good;
  bad.data.pop_back();
  EXPECT_THROW(dequantize_activations(bad), ShapeMismatch);
  bad = good;
  bad.scales.pop_back();
  EXPECT_THROW(dequantize_activations(bad), ShapeMismatch);
  bad = good;
  bad.per_token = false;
  EXPECT_THROW(dequantize_activations(bad), ShapeMismatch);
}

}  // namespace
}  // namespace bitnet
