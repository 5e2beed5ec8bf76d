// SPDX-License-Identifier: MIT
// Whole-layer results are equal in every bit for every ISA, thread count and batch split. Oracle:
// the scalar kernels on one thread with all tokens at once, themselves tested against naive loops.
#include <bitnet/bit_linear.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::normal_floats;

constexpr std::size_t kTokens = 150;  // more than one block of tokens
constexpr std::size_t kInputs = 192;
constexpr std::size_t kOutputs = 100;

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  std::ranges::transform(values, std::back_inserter(bits),
                         [](float value) { return std::bit_cast<std::uint32_t>(value); });
  return bits;
}

class Determinism : public testing::TestWithParam<Granularity> {
 protected:
  BitNetConfig config() const {
    return BitNetConfig{}.with_weight_granularity(GetParam()).with_group_size(32);
  }
  BitLinear layer(const Runtime& runtime) const {
    return BitLinear::from_weight({weight_.data(), Shape{kOutputs, kInputs}}, bias_, config(),
                                  runtime)
        .with_norm_weight(gain_);
  }
  std::vector<std::uint32_t> forward(const Runtime& runtime, std::size_t batch) const {
    const BitLinear made = layer(runtime);
    std::vector<float> y;
    for (std::size_t first = 0; first < kTokens; first += batch) {
      const std::size_t count = std::min(batch, kTokens - first);
      const Tensor part =
          made.forward({x_.data() + first * kInputs, Shape{count, kInputs}}, runtime);
      y.insert(y.end(), part.data.begin(), part.data.end());
    }
    return bits_of(y);
  }
  std::vector<std::uint32_t> expected() const {
    return forward(Runtime({.threads = 1, .isa = Isa::scalar}), kTokens);
  }

  std::vector<float> weight_ = normal_floats(kOutputs * kInputs, 1, 0.02F);
  std::vector<float> bias_ = normal_floats(kOutputs, 2);
  std::vector<float> gain_ = normal_floats(kInputs, 3);
  std::vector<float> x_ = normal_floats(kTokens * kInputs, 4);
};

TEST_P(Determinism, NeitherIsaNorThreadsNorBatchChangeABit) {
  const auto reference_bits = expected();
  for (const Isa isa : supported_isas()) {
    for (const int threads : {1, 2, 3}) {
      const Runtime runtime({.threads = threads, .isa = isa});
      for (const std::size_t batch : {kTokens, std::size_t{1}, std::size_t{7}, std::size_t{129}}) {
        EXPECT_EQ(forward(runtime, batch), reference_bits)
            << to_string(isa) << ", " << threads << " threads, batch " << batch;
      }
    }
  }
}

TEST_P(Determinism, PackedBytesAndSumsDoNotDependOnTheIsa) {
  const Runtime scalar({.threads = 1, .isa = Isa::scalar});
  const BitLinear expected_layer = layer(scalar);
  const auto codes = quantize_activations({x_.data(), Shape{kTokens, kInputs}}, config(), scalar);
  const auto expected_sums = expected_layer.integer_product(codes, scalar);
  for (const Isa isa : supported_isas()) {
    for (const int threads : {1, 2, 3}) {
      const Runtime runtime({.threads = threads, .isa = isa});
      const BitLinear found = layer(runtime);
      EXPECT_TRUE(std::ranges::equal(found.weight().tiles(), expected_layer.weight().tiles()));
      EXPECT_EQ(found.weight().scales(), expected_layer.weight().scales());
      EXPECT_EQ(found.integer_product(codes, runtime), expected_sums);
    }
  }
}

TEST_P(Determinism, CallersMayShareLayerAndRuntime) {
  const auto reference_bits = expected();
  const Runtime runtime({.threads = 2, .isa = std::nullopt});
  const BitLinear shared = layer(runtime);
  std::vector<std::vector<std::uint32_t>> found(4);
  std::vector<std::thread> callers;
  for (auto& result : found) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        result = bits_of(shared.forward({x_.data(), Shape{kTokens, kInputs}}, runtime).data);
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  for (const auto& result : found) {
    EXPECT_EQ(result, reference_bits);
  }
}

INSTANTIATE_TEST_SUITE_P(Scales, Determinism,
                         testing::Values(Granularity::tensor, Granularity::row, Granularity::group),
                         [](const testing::TestParamInfo<Granularity>& info) {
                           return info.param == Granularity::tensor ? "tensor"
                                  : info.param == Granularity::row  ? "row"
                                                                    : "group";
                         });

}  // namespace
}  // namespace bitnet
