// SPDX-License-Identifier: MIT
// Inputs as they lie in a caller's memory: strided rows, odd addresses, 16-bit floats. Oracle: the
// same numbers, copied to a contiguous float array (16 bits widened by tests/reference), must give
// the same result. Guard pages catch reads beyond the last element.
#include <bitnet/quantize.h>
#include <gtest/gtest.h>

#include <cstring>

#include "reference/guarded_buffer.h"
#include "reference/naive_half.h"
#include "reference/random_data.h"

namespace bitnet {
namespace {

using reference::GuardedBuffer;

/// `values` as bytes of the type, rounded to it where it is narrower.
std::vector<std::byte> encode(const std::vector<float>& values, DType dtype) {
  std::vector<std::byte> bytes(values.size() * size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::f32) {
      std::memcpy(&bytes[4 * i], &values[i], 4);
    } else {
      const auto format = dtype == DType::f16 ? reference::kFloat16 : reference::kBFloat16;
      const std::uint16_t bits = reference::narrow(values[i], format);
      std::memcpy(&bytes[2 * i], &bits, 2);
    }
  }
  return bytes;
}

std::vector<float> decode(const std::vector<std::byte>& bytes, DType dtype) {
  std::vector<float> values(bytes.size() / size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::f32) {
      std::memcpy(&values[i], &bytes[4 * i], 4);
    } else {
      std::uint16_t bits;
      std::memcpy(&bits, &bytes[2 * i], 2);
      const auto format = dtype == DType::f16 ? reference::kFloat16 : reference::kBFloat16;
      values[i] = static_cast<float>(reference::widen(bits, format));
    }
  }
  return values;
}

constexpr DType kDTypes[] = {DType::f32, DType::f16, DType::bf16};

void expect_same(const QuantizedActivations& found, const QuantizedActivations& expected) {
  EXPECT_EQ(found.data, expected.data);
  EXPECT_EQ(found.scales, expected.scales);
}

TEST(InputViews, SixteenBitInputsEqualTheirWidenedValues) {
  for (const DType dtype : kDTypes) {
    for (std::size_t columns = 1; columns <= 70; ++columns) {
      const auto bytes =
          encode(reference::normal_floats(3 * columns, static_cast<std::uint32_t>(columns)), dtype);
      const std::vector<float> widened = decode(bytes, dtype);
      const GuardedBuffer<std::byte> guarded(bytes);
      const Shape shape{3, columns};
      for (const BitNetConfig& config : {BitNetConfig{}, BitNetConfig::b158()}) {
        for (const bool per_token : {true, false}) {
          const BitNetConfig c = config.with_per_token_activation(per_token);
          expect_same(quantize_activations(TensorView(guarded.data(), dtype, shape), c),
                      quantize_activations(TensorView(widened.data(), shape), c));
        }
      }
      const std::vector<float> gain(columns, 0.75F);
      EXPECT_EQ(rms_norm(TensorView(guarded.data(), dtype, shape), gain, 1e-5F).data,
                rms_norm(TensorView(widened.data(), shape), gain, 1e-5F).data);
    }
  }
}

TEST(InputViews, StridedRowsAtAnyAddressEqualContiguousOnes) {
  constexpr std::size_t kRows = 4;
  constexpr std::size_t kColumns = 37;
  for (const DType dtype : kDTypes) {
    const auto bytes = encode(reference::normal_floats(kRows * kColumns, 9), dtype);
    const QuantizedActivations expected =
        quantize_activations(TensorView(bytes.data(), dtype, Shape{2, 2, kColumns}));
    for (const std::size_t stride : {kColumns, kColumns + 1, kColumns + 27}) {
      for (std::size_t skew = 0; skew < 8; ++skew) {
        // Poison between the rows: reading it would give NaN.
        const std::size_t element = size_of(dtype);
        GuardedBuffer<std::byte> memory((skew + (kRows - 1) * stride + kColumns) * element);
        std::memset(memory.data(), 0xff, memory.size());
        std::byte* first = memory.data() + skew * element;
        for (std::size_t row = 0; row < kRows; ++row) {
          std::memcpy(first + row * stride * element, &bytes[row * kColumns * element],
                      kColumns * element);
        }
        SCOPED_TRACE(testing::Message() << "stride " << stride << ", skew " << skew);
        expect_same(quantize_activations(TensorView(first, dtype, Shape{2, 2, kColumns}, stride)),
                    expected);
      }
    }
  }
}

TEST(InputViews, StridedWeightsEqualContiguousOnes) {
  constexpr std::size_t kRows = 35;
  constexpr std::size_t kColumns = 64;
  constexpr std::size_t kStride = 71;
  for (const DType dtype : kDTypes) {
    const auto bytes = encode(reference::normal_floats(kRows * kColumns, 10, 0.02F), dtype);
    const std::size_t element = size_of(dtype);
    GuardedBuffer<std::byte> memory(((kRows - 1) * kStride + kColumns) * element);
    std::memset(memory.data(), 0xff, memory.size());
    for (std::size_t row = 0; row < kRows; ++row) {
      std::memcpy(memory.data() + row * kStride * element, &bytes[row * kColumns * element],
                  kColumns * element);
    }
    for (const Granularity granularity :
         {Granularity::tensor, Granularity::row, Granularity::group}) {
      const BitNetConfig config = BitNetConfig{}.with_weight_granularity(granularity);
      const TernaryWeight expected =
          quantize_weights(TensorView(bytes.data(), dtype, Shape{kRows, kColumns}), config);
      const TernaryWeight found = quantize_weights(
          TensorView(memory.data(), dtype, Shape{kRows, kColumns}, kStride), config);
      EXPECT_EQ(found.trits(), expected.trits());
      EXPECT_EQ(found.scales(), expected.scales());
    }
  }
}

}  // namespace
}  // namespace bitnet
