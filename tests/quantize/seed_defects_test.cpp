// SPDX-License-Identifier: MIT
// Defects of the Rust crate that this library was started from, each with the test that keeps it
// out. Oracle: the documented contract, worked out by hand. (The README's compiled samples, GGUF
// export and gradients have theirs elsewhere.)
#include <bitnet/bit_linear.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/random_data.h"

namespace bitnet {
namespace {

TEST(SeedDefects, SeqLenOfTwoDimensionsWasTheHiddenSize) {
  const std::vector<float> x(4 * 128, 1.0F);
  EXPECT_EQ(quantize_activations({x.data(), Shape{4, 128}}).seq_len(), 1U);
  EXPECT_EQ(quantize_activations({x.data(), Shape{2, 2, 128}}).seq_len(), 2U);
  EXPECT_EQ(QuantizedActivations{}.batch_size(), 1U);
  EXPECT_EQ(QuantizedActivations{}.hidden_dim(), 0U);
}

TEST(SeedDefects, PerTensorActivationScaleWasIgnored) {
  const std::vector<float> x = {1.0F, -2.0F, 127.0F, 4.0F};
  const auto config = BitNetConfig{}.with_per_token_activation(false);
  const QuantizedActivations q = quantize_activations({x.data(), Shape{2, 2}}, config);
  EXPECT_FALSE(q.per_token);
  EXPECT_EQ(q.scales, std::vector<float>{1.0F});
  EXPECT_EQ(q.data, (std::vector<std::int8_t>{1, -2, 127, 4}));
  EXPECT_EQ(dequantize_activations(q).data, x);
}

TEST(SeedDefects, BitWidthsBeyondInt8Overflowed) {
  const std::vector<float> x(8, 1.0F);
  for (int bits = -1; bits <= 20; ++bits) {
    const auto config = BitNetConfig{}.with_activation_bits(bits);
    if (bits >= 2 && bits <= 8) {
      EXPECT_EQ(quantize_activations({x.data(), Shape{1, 8}}, config).data[0], config.qmax());
    } else {
      EXPECT_THROW(quantize_activations({x.data(), Shape{1, 8}}, config), InvalidConfig) << bits;
    }
  }
}

TEST(SeedDefects, NanBecameZeroAndInfinityBecameNan) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN(),
        std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    for (std::size_t position = 0; position < 3 * 50; position += 7) {
      std::vector<float> x(3 * 50, 0.5F);
      x[position] = bad;
      try {
        quantize_activations({x.data(), Shape{3, 50}});
        ADD_FAILURE() << bad << " accepted at " << position;
      } catch (const NonFiniteError& error) {
        EXPECT_EQ(error.row, position / 50);
        EXPECT_EQ(error.column, position % 50);
        const std::string what = error.what();
        EXPECT_NE(what.find("row " + std::to_string(position / 50)), std::string::npos) << what;
        EXPECT_NE(what.find("column " + std::to_string(position % 50)), std::string::npos) << what;
      }
    }
  }
}

TEST(SeedDefects, RmsNormAndEpsWereNeverUsed) {
  const std::vector<float> weight = reference::normal_floats(8 * 64, 1);
  const std::vector<float> x = reference::normal_floats(2 * 64, 2, 1e-3F);
  const TensorView view(x.data(), Shape{2, 64});
  const auto output = [&](const BitNetConfig& config) {
    return BitLinear::from_weight({weight.data(), Shape{8, 64}}, {}, config).forward(view).data;
  };
  EXPECT_NE(output(BitNetConfig{}), output(BitNetConfig{}.with_rms_norm(false)));
  EXPECT_NE(output(BitNetConfig{}), output(BitNetConfig{}.with_eps(1e-3F)));
}

TEST(SeedDefects, ForwardDidNotQuantizeActivations) {
  // 0.3 is no multiple of 1 / 127: only a layer that rounds to codes gives 38 / 127.
  const std::vector<float> weight(64, 1.0F);
  std::vector<float> x(64, 0.0F);
  x[0] = 1.0F;
  x[1] = 0.3F;
  const BitLinear layer = BitLinear::from_weight({weight.data(), Shape{1, 64}}, {},
                                                 BitNetConfig{}.with_rms_norm(false));
  const Tensor y = layer.forward({x.data(), Shape{1, 64}});
  EXPECT_NEAR(y.data[0], (127 + 38) / 127.0, 1e-6);
}

TEST(SeedDefects, TheSmallestMagnitudesGaveZeroScales) {
  // absmax / 127 underflows for every absmax up to 63 * 2^-149.
  for (int units = 1; units <= 130; ++units) {
    const float absmax = std::ldexp(static_cast<float>(units), -149);
    const std::vector<float> x = {absmax, -absmax, 0.0F, absmax};
    for (const BitNetConfig& config :
         {BitNetConfig{}, BitNetConfig{}.with_scaling(Scaling::multiply), BitNetConfig::b158()}) {
      const QuantizedActivations q = quantize_activations({x.data(), Shape{1, 4}}, config);
      EXPECT_TRUE(q.scales[0] > 0.0F && std::isfinite(q.scales[0])) << units;
      EXPECT_EQ(q.data[0], -q.data[1]) << units;
      EXPECT_EQ(q.data[2], 0) << units;
      EXPECT_GE(q.data[0], 0) << units;
      for (const float value : dequantize_activations(q).data) {
        EXPECT_TRUE(std::isfinite(value));
      }
    }
  }
}

TEST(SeedDefects, TheLargestMagnitudesOverflowedOnTheWayBack) {
  float absmax = std::numeric_limits<float>::max();
  for (int step = 0; step < 300; ++step, absmax = std::nextafter(absmax, 0.0F)) {
    const std::vector<float> x = {absmax, -absmax, absmax / 2, 1.0F};
    for (int bits = 2; bits <= 8; ++bits) {
      for (const BitNetConfig& preset : {BitNetConfig{}, BitNetConfig::b158()}) {
        const auto config = preset.with_activation_bits(bits);
        const QuantizedActivations q = quantize_activations({x.data(), Shape{1, 4}}, config);
        EXPECT_EQ(q.data[0], config.qmax());
        EXPECT_EQ(q.data[1], -config.qmax());
        for (const float value : dequantize_activations(q).data) {
          EXPECT_TRUE(std::isfinite(value)) << absmax << ", " << bits << " bits";
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitnet
