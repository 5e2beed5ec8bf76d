// SPDX-License-Identifier: MIT
// Both quantized types as safetensors. Oracle: the values put in, and bytes put together by hand.
#include <bitnet/error.h>
#include <bitnet/serialization.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "formats/byte_string.h"
#include "formats/hostile_bytes.h"
#include "formats/temporary_folder.h"

namespace bitnet {
namespace {

using test::ByteString;
using test::expect_error;
using test::TemporaryFolder;

std::vector<std::int8_t> some_trits(std::size_t count) {
  std::vector<std::int8_t> trits(count);
  for (std::size_t i = 0; i < count; ++i) {
    trits[i] = static_cast<std::int8_t>((i * i + i / 7) % 3) - 1;
  }
  return trits;
}

std::vector<float> some_scales(std::size_t count) {
  std::vector<float> scales(count);
  for (std::size_t i = 0; i < count; ++i) {
    scales[i] = 0.125F + static_cast<float>(i);
  }
  return scales;
}

void expect_equal(const TernaryWeight& a, const TernaryWeight& b) {
  EXPECT_EQ(a.out_features(), b.out_features());
  EXPECT_EQ(a.in_features(), b.in_features());
  EXPECT_EQ(a.layout(), b.layout());
  EXPECT_EQ(a.granularity(), b.granularity());
  EXPECT_EQ(a.group_size(), b.group_size());
  EXPECT_EQ(a.trits(), b.trits());
  EXPECT_EQ(a.scales(), b.scales());
}

TEST(Serialization, TernaryWeightsComeBack) {
  for (const std::size_t columns : {1U, 15U, 16U, 17U, 64U, 100U}) {
    const auto trits = some_trits(5 * columns);
    for (const TileLayout layout : {TileLayout::t16, TileLayout::t2}) {
      const auto tensor =
          TernaryWeight::pack(trits, 5, columns, some_scales(1), Granularity::tensor, 0, layout);
      expect_equal(ternary_weight_from_bytes(to_bytes(tensor)), tensor);
      const auto row =
          TernaryWeight::pack(trits, 5, columns, some_scales(5), Granularity::row, 0, layout);
      expect_equal(ternary_weight_from_bytes(to_bytes(row)), row);
    }
  }
  const auto grouped =
      TernaryWeight::pack(some_trits(3 * 96), 3, 96, some_scales(9), Granularity::group, 32);
  expect_equal(ternary_weight_from_bytes(to_bytes(grouped)), grouped);
}

TEST(Serialization, FilesKeepTheDensityOfT16pForEveryCpu) {
  const auto pack = [](TileLayout layout) {
    return TernaryWeight::pack(some_trits(5 * 33), 5, 33, some_scales(1), Granularity::tensor, 0,
                               layout);
  };
  EXPECT_EQ(to_bytes(pack(TileLayout::t16p)), to_bytes(pack(TileLayout::t16)));
}

QuantizedActivations some_activations(const Shape& shape, bool per_token) {
  QuantizedActivations activations;
  activations.shape = shape;
  activations.per_token = per_token;
  activations.scales = some_scales(per_token ? shape.rows() : 1);
  for (std::size_t i = 0; i < shape.numel(); ++i) {
    activations.data.push_back(static_cast<std::int8_t>(i * 37));
  }
  return activations;
}

TEST(Serialization, QuantizedActivationsComeBack) {
  for (const Shape& shape : {Shape{4, 6}, Shape{2, 3, 5}, Shape{1, 1}}) {
    for (const bool per_token : {true, false}) {
      const auto written = some_activations(shape, per_token);
      const auto read = quantized_activations_from_bytes(to_bytes(written));
      EXPECT_EQ(read.data, written.data);
      EXPECT_EQ(read.scales, written.scales);
      EXPECT_EQ(read.shape, written.shape);
      EXPECT_EQ(read.per_token, written.per_token);
    }
  }
}

TEST(Serialization, ActivationsThatDisagreeWithTheirShapeAreNotWritten) {
  auto activations = some_activations({2, 3}, true);
  activations.scales.pop_back();
  expect_error<ShapeMismatch>([&] { to_bytes(activations); }, {"2 scales"});
  activations = some_activations({2, 3}, true);
  activations.data.pop_back();
  expect_error<ShapeMismatch>([&] { to_bytes(activations); }, {"6 codes"});
}

TEST(Serialization, FilesComeBack) {
  const TemporaryFolder folder;
  const auto weight = TernaryWeight::pack(some_trits(6), 2, 3, some_scales(1));
  save(weight, folder / "w");
  expect_equal(load_ternary_weight(folder / "w"), weight);
  save(some_activations({2, 3}, true), folder / "a");
  EXPECT_EQ(load_quantized_activations(folder / "a").data, some_activations({2, 3}, true).data);
  EXPECT_EQ(folder.count(), 2U);
  expect_error<FormatError>([&] { load_ternary_weight(folder / "a"); },
                            {(folder / "a").string(), "bitnet.type"});
  expect_error<IoError>([&] { load_ternary_weight(folder / "absent"); }, {"absent"});
  expect_error<IoError>([&] { save(weight, folder / "no" / "w"); }, {"no/w"});
}

/// The pieces of a stored weight [2, 3]: trits +1 0 -1 and 0 0 +1, scale 0.5.
struct WeightFile {
  std::string version = "1";
  std::string type = "ternary_weight";
  std::string granularity = "tensor";
  std::string layout = "t16";
  std::string in_features = "3";
  std::string group_size = "0";
  std::string codes_dtype = "U32";
  std::string scales_shape = "[1]";
  std::vector<std::uint32_t> codes = {0b10'00'01, 0b01'00'00};
  std::vector<float> scales = {0.5F};
  std::string extra;

  std::vector<std::byte> bytes() const {
    const std::size_t middle = 4 * scales.size();
    const std::size_t end = middle + 4 * codes.size();
    const std::string header =
        R"({"__metadata__":{"bitnet.version":")" + version + R"(","bitnet.type":")" + type +
        R"(","bitnet.granularity":")" + granularity + R"(","bitnet.layout":")" + layout +
        R"(","bitnet.in_features":")" + in_features + R"(","bitnet.group_size":")" + group_size +
        R"("},"scales":{"dtype":"F32","shape":)" + scales_shape + R"(,"data_offsets":[0,)" +
        std::to_string(middle) + R"(]},"codes":{"dtype":")" + codes_dtype + R"(","shape":[)" +
        std::to_string(codes.size()) + R"(,1],"data_offsets":[)" + std::to_string(middle) + "," +
        std::to_string(end) + "]}" + extra + "}";
    ByteString file;
    file.u64(header.size()).text(header);
    for (const float scale : scales) {
      file.number(scale);
    }
    for (const std::uint32_t word : codes) {
      file.number(word);
    }
    return file.bytes();
  }
};

template <class E>
void expect_refused(const std::function<void(WeightFile&)>& spoil,
                    const std::vector<std::string>& words) {
  WeightFile file;
  spoil(file);
  expect_error<E>([&] { ternary_weight_from_bytes(file.bytes()); }, words);
}

TEST(Serialization, AHandMadeWeightIsRead) {
  const auto weight = ternary_weight_from_bytes(WeightFile{}.bytes());
  EXPECT_EQ(weight.trits(), (std::vector<std::int8_t>{1, 0, -1, 0, 0, 1}));
  EXPECT_EQ(weight.scales(), std::vector<float>{0.5F});
  EXPECT_EQ(weight.layout(), TileLayout::t16);
}

TEST(Serialization, BadWeightsAreRefused) {
  expect_refused<FormatError>([](auto& f) { f.version = "2"; }, {"bitnet.version", "'2'"});
  expect_refused<FormatError>([](auto& f) { f.type = "x"; }, {"bitnet.type", "'x'"});
  expect_refused<FormatError>([](auto& f) { f.granularity = "x"; }, {"bitnet.granularity"});
  expect_refused<FormatError>([](auto& f) { f.granularity = "row"; }, {"scales", "[2]", "[1]"});
  expect_refused<FormatError>([](auto& f) { f.granularity = "group"; }, {"bitnet.group_size"});
  expect_refused<FormatError>([](auto& f) { f.group_size = "1"; }, {"bitnet.group_size"});
  expect_refused<FormatError>([](auto& f) { f.layout = "t3"; }, {"bitnet.layout"});
  expect_refused<FormatError>([](auto& f) { f.in_features = "17"; }, {"codes", "[2, 2]"});
  expect_refused<FormatError>([](auto& f) { f.in_features = "2"; }, {"codes", "row 0"});
  expect_refused<FormatError>([](auto& f) { f.in_features = "0"; }, {"codes"});
  for (const char* number : {"-1", "3x", "", "18446744073709551615", "18446744073709551616"}) {
    expect_refused<FormatError>([&](auto& f) { f.in_features = number; }, {});
  }
  expect_refused<FormatError>([](auto& f) { f.codes_dtype = "I32"; }, {"codes", "U32"});
  expect_refused<FormatError>([](auto& f) { f.codes.clear(); }, {"codes"});
  expect_refused<FormatError>([](auto& f) { f.codes[1] |= 1U << 6; }, {"codes", "row 1"});
  expect_refused<FormatError>(
      [](auto& f) { f.extra = R"(,"x":{"dtype":"U8","shape":[0],"data_offsets":[12,12]})"; },
      {"3 tensors"});
  expect_refused<TernaryError>([](auto& f) { f.codes[1] |= 3U << 4; }, {"row 1", "column 2"});
  for (const float scale : {0.0F, -1.0F, std::nanf(""), HUGE_VALF}) {
    expect_refused<QuantizationError>([&](auto& f) { f.scales[0] = scale; }, {"scale"});
  }
  // Group geometries that no TernaryWeight has: 3 inputs in groups of 3, t16 with groups.
  expect_refused<FormatError>(
      [](auto& f) {
        f.granularity = "group";
        f.group_size = "3";
        f.layout = "t2";
        f.scales = {1, 1};
        f.scales_shape = "[2,1]";
      },
      {"power of two"});
  expect_refused<FormatError>(
      [](auto& f) {
        f.granularity = "group";
        f.group_size = "1";
        f.scales = {1, 1, 1, 1, 1, 1};
        f.scales_shape = "[2,3]";
      },
      {"t2"});
}

TEST(Serialization, BadActivationsAreRefused) {
  auto activations = some_activations({2, 3}, true);
  activations.scales[1] = std::nanf("");
  const auto bytes = to_bytes(activations);
  expect_error<QuantizationError>([&] { quantized_activations_from_bytes(bytes); }, {"at 1"});
  expect_error<FormatError>([&] { ternary_weight_from_bytes(bytes); }, {"bitnet.type"});
  activations = some_activations({1, 1}, true);
  activations.shape = {1};
  activations.per_token = false;
  expect_error<FormatError>([&] { quantized_activations_from_bytes(to_bytes(activations)); },
                            {"2 or 3 dimensions"});
}

TEST(Serialization, EveryTruncationIsAnErrorAndNoFlipCrashes) {
  const auto weight = to_bytes(
      TernaryWeight::pack(some_trits(4 * 32), 4, 32, some_scales(8), Granularity::group, 16));
  const auto parse_weight = [](std::span<const std::byte> b) { ternary_weight_from_bytes(b); };
  test::expect_error_at_every_length(weight, parse_weight);
  EXPECT_GT(test::flip_every_bit(weight, parse_weight), 1000U);

  const auto activations = to_bytes(some_activations({2, 3}, true));
  const auto parse = [](std::span<const std::byte> b) { quantized_activations_from_bytes(b); };
  test::expect_error_at_every_length(activations, parse);
  EXPECT_GT(test::flip_every_bit(activations, parse), 1000U);
}

}  // namespace
}  // namespace bitnet
