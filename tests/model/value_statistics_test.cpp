// SPDX-License-Identifier: MIT
#include <bitnet/inspect_checkpoint.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tiny_model.h"

namespace bitnet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A file with these tensors and no model that anybody knows.
class TensorFile {
 public:
  TensorFile() : model_(20, 20) {
    model_.config["architectures"] = {"MambaForCausalLM"};
    model_.tensors.clear();
  }
  void add(const std::string& name, const std::vector<std::size_t>& shape,
           const std::vector<float>& values) {
    model_.set_floats(name, shape, values);
  }
  std::vector<TensorInspection> inspect(int threads = 1) const {
    const TemporaryFolder folder;
    model_.write(folder.path());
    const Runtime runtime({.threads = threads});
    return inspect_checkpoint(open_checkpoint(folder.path()), nullptr, runtime,
                              {.histograms = true});
  }

 private:
  TinyModel model_;
};

ValueStatistics statistics_of(const std::vector<float>& values,
                              std::vector<std::size_t> shape = {}) {
  TensorFile file;
  file.add("t", shape.empty() ? std::vector<std::size_t>{values.size()} : shape, values);
  return file.inspect().at(0).statistics.value();
}

bool power_of_two(double x) {
  int exponent = 0;
  return std::frexp(x, &exponent) == 0.5;
}

std::uint64_t count_if(const std::vector<float>& values, bool (*is)(float)) {
  return static_cast<std::uint64_t>(std::count_if(values.begin(), values.end(), is));
}

/// How many multiples of the width cut [min, max], evaluated in long double.
double bins_of_width(double width, float min, float max) {
  return static_cast<double>(std::floor(static_cast<long double>(max) / width) -
                             std::floor(static_cast<long double>(min) / width) + 1);
}

void expect_histogram(const ValueStatistics& found, const std::vector<float>& finite) {
  const ValueStatistics::Histogram& histogram = found.histogram;
  ASSERT_TRUE(power_of_two(histogram.width)) << histogram.width;
  EXPECT_EQ(std::fmod(histogram.start, histogram.width), 0);
  ASSERT_LE(histogram.counts.size(), ValueStatistics::kMaxBins);
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double left = histogram.start + static_cast<double>(i) * histogram.width;
    const auto expected = std::count_if(finite.begin(), finite.end(), [&](float value) {
      return left <= value && value < left + histogram.width;
    });
    EXPECT_EQ(histogram.counts[i], static_cast<std::uint64_t>(expected)) << "bin " << i;
  }
  EXPECT_NE(histogram.counts.front(), 0U);
  EXPECT_NE(histogram.counts.back(), 0U);
  // No finer width would do: too many bins, or finer than the largest value's last bit.
  const double absmax = std::max(std::abs(found.min), std::abs(found.max));
  if (absmax != 0) {
    const bool too_many = bins_of_width(histogram.width / 2, found.min, found.max) >
                          static_cast<double>(ValueStatistics::kMaxBins);
    EXPECT_TRUE(too_many || absmax / (histogram.width / 2) >= 0x1p24) << histogram.width;
  }
}

/// Everything, by the definitions.
void expect_statistics(const ValueStatistics& found, const std::vector<float>& values) {
  EXPECT_EQ(found.count, values.size());
  EXPECT_EQ(found.nans, count_if(values, [](float x) { return std::isnan(x); }));
  EXPECT_EQ(found.infinities, count_if(values, [](float x) { return std::isinf(x); }));
  std::vector<float> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite),
               [](float x) { return std::isfinite(x); });
  EXPECT_EQ(found.negatives, count_if(finite, [](float x) { return x < 0; }));
  EXPECT_EQ(found.zeros, count_if(finite, [](float x) { return x == 0; }));
  EXPECT_EQ(found.positives, count_if(finite, [](float x) { return x > 0; }));
  if (finite.empty()) {
    EXPECT_TRUE(found.histogram.counts.empty());
    EXPECT_EQ(found.min, 0);
    EXPECT_EQ(found.standard_deviation, 0);
    return;
  }
  EXPECT_EQ(found.min, *std::min_element(finite.begin(), finite.end()));
  EXPECT_EQ(found.max, *std::max_element(finite.begin(), finite.end()));
  EXPECT_FALSE(std::signbit(found.min) && found.min == 0);
  const auto n = static_cast<long double>(finite.size());
  long double sum = 0;
  long double sum_abs = 0;
  for (const float x : finite) {
    sum += x;
    sum_abs += std::abs(x);
  }
  const long double mean = sum / n;
  long double squares = 0;
  for (const float x : finite) {
    squares += (x - mean) * (x - mean);
  }
  // n additions of numbers below sum_abs, each off by half a unit in the last place at most.
  const double epsilon = static_cast<double>(n) * 0x1p-53;
  const auto absmean = static_cast<double>(sum_abs / n);
  EXPECT_NEAR(found.mean, static_cast<double>(mean), epsilon * absmean);
  EXPECT_NEAR(found.absmean, absmean, epsilon * absmean);
  const auto variance = static_cast<double>(squares / n);
  EXPECT_NEAR(found.standard_deviation * found.standard_deviation, variance,
              4 * epsilon * (variance + static_cast<double>(mean * mean)));
  expect_histogram(found, finite);
}

std::vector<float> normal_values(std::size_t n, float mean, float deviation) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::normal_distribution<float> distribution(mean, deviation);
  std::vector<float> values(n);
  std::generate(values.begin(), values.end(), [&] { return distribution(random); });
  return values;
}

// Oracle: the definitions, evaluated one after another in long double; sizes around the lanes of
// the sums, the chunks of the counts and the pieces that threads take.
TEST(ValueStatistics, AgreeWithTheirDefinitions) {
  for (const std::size_t n : {1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 32767,
                              32768, 32769, 65537, 100000}) {
    SCOPED_TRACE(n);
    expect_statistics(statistics_of(normal_values(n, 0, 0.02F)), normal_values(n, 0, 0.02F));
    expect_statistics(statistics_of(normal_values(n, 1, 0.01F)), normal_values(n, 1, 0.01F));
  }
}

// Oracle: the definitions.
TEST(ValueStatistics, OfExtremes) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  const std::vector<std::vector<float>> cases = {
      {0},
      {-0.0F, 0.0F},
      {1},
      {-3, -3, -3},
      {0.1F, 0.1F},
      {-1, 0, 1, 1},
      {kLargest, -kLargest, 1, -1e-38F},
      {kLargest, kSmallest, -kSmallest},
      {kSmallest, -kSmallest, 0},
      {kSmallest, 2 * kSmallest, 3 * kSmallest, 65 * kSmallest},
      {1, std::nextafter(1.0F, 2.0F)},
      {std::nextafter(1.0F, 0.0F), 1, std::nextafter(1.0F, 2.0F)},
      {-1e-30F, 1e30F},
      {kNan},
      {kInfinity, -kInfinity, kNan, kNan},
      {kNan, 1, kInfinity, -2, -kInfinity, 0},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    expect_statistics(statistics_of(cases[i]), cases[i]);
  }
}

// Oracle: the definitions. After zeros the range grows while the values arrive, towards both sides,
// and a NaN or an infinity lies in some of the pieces only.
TEST(ValueStatistics, OfARangeThatGrows) {
  std::vector<float> values(40000);
  float magnitude = 1e-6F;
  for (int step = 0; step < 12; ++step, magnitude *= 7) {
    const std::vector<float> more =
        normal_values(20000 + step, step % 3 == 0 ? magnitude : -magnitude, magnitude);
    values.insert(values.end(), more.begin(), more.end());
    values.push_back(step % 4 == 0 ? kNan : step % 4 == 2 ? -kInfinity : 0);
  }
  expect_statistics(statistics_of(values), values);
}

// Oracle: one thread. Rows of one number, of a few, of many; matrices, a vector, a cube, a scalar.
TEST(ValueStatistics, DoNotDependOnThreadsAndHardlyOnShape) {
  const std::vector<float> values = normal_values(90000, 0.001F, 0.5F);
  TensorFile file;
  file.add("column", {90000, 1}, values);
  file.add("cube", {9, 100, 100}, values);
  file.add("narrow", {30000, 3}, values);
  file.add("row", {1, 90000}, values);
  file.add("scalar", {}, {0.25F});
  file.add("vector", {90000}, values);
  const auto serial = file.inspect(1);
  const auto parallel = file.inspect(4);
  ASSERT_EQ(serial.size(), 6U);
  for (std::size_t i = 0; i < serial.size(); ++i) {
    SCOPED_TRACE(serial[i].name);
    const ValueStatistics& a = serial[i].statistics.value();
    const ValueStatistics& b = parallel[i].statistics.value();
    EXPECT_EQ(a.mean, b.mean);
    EXPECT_EQ(a.absmean, b.absmean);
    EXPECT_EQ(a.standard_deviation, b.standard_deviation);
    EXPECT_EQ(a.histogram.start, b.histogram.start);
    EXPECT_EQ(a.histogram.counts, b.histogram.counts);
    expect_statistics(b, serial[i].name == "scalar" ? std::vector<float>{0.25F} : values);
  }
}

// Oracle: by hand. A matrix with a NaN is not ternary; one without is, and its counts are of trits.
TEST(ValueStatistics, OfTernaryMatrices) {
  TensorFile file;
  file.add("broken", {2, 3}, {0.5F, 0, kNan, 0.5F, 0.5F, -0.5F});
  file.add("endless", {1, 3}, {kInfinity, 0, -kInfinity});
  file.add("ternary", {2, 3}, {0.5F, 0, 0, 0.5F, 0.5F, -0.5F});
  const auto tensors = file.inspect();
  EXPECT_FALSE(tensors[0].ternary);
  EXPECT_EQ(tensors[0].statistics.value().nans, 1U);
  EXPECT_FALSE(tensors[1].ternary);
  EXPECT_EQ(tensors[1].statistics.value().infinities, 2U);
  EXPECT_EQ(tensors[2].ternary.value().scale, 0.5F);
  const ValueStatistics& values = tensors[2].statistics.value();
  EXPECT_EQ(values.negatives, 1U);
  EXPECT_EQ(values.zeros, 2U);
  EXPECT_EQ(values.positives, 3U);
  EXPECT_EQ(values.mean, 1.0 / 6);
}

// Oracle: the two-bit codes of the file, counted byte by byte.
TEST(ValueStatistics, OfPackedMatricesCountTrits) {
  const Checkpoint packed = open_checkpoint(BITNET_GOLDEN_DIR "/models/bitnet-odd/packed");
  std::size_t matrices = 0;
  for (const TensorInspection& tensor :
       inspect_checkpoint(packed, nullptr, Runtime::serial(), {.histograms = true})) {
    const ValueStatistics& values = tensor.statistics.value();
    if (tensor.type_name != "U8") {
      EXPECT_EQ(values.count, tensor.shape.numel()) << tensor.name;
      continue;
    }
    const std::size_t columns = tensor.shape.columns();
    const std::size_t strip = tensor.shape.rows();
    const std::size_t rows = values.count / columns;
    ASSERT_EQ(values.count % columns, 0U);
    ASSERT_EQ((rows + 3) / 4, strip);
    std::array<std::uint64_t, 3> codes{};
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        const auto byte = packed.find(tensor.name)->bytes[row % strip * columns + column];
        ++codes.at(std::to_integer<unsigned>(byte >> (2 * (row / strip))) & 3U);
      }
    }
    EXPECT_EQ(values.negatives, codes[0]) << tensor.name;
    EXPECT_EQ(values.zeros, codes[1]) << tensor.name;
    EXPECT_EQ(values.positives, codes[2]) << tensor.name;
    ++matrices;
  }
  EXPECT_GT(matrices, 6U);
}

// Oracle: the contract.
TEST(ValueStatistics, AreLeftOutUnlessAskedFor) {
  const Checkpoint packed = open_checkpoint(BITNET_GOLDEN_DIR "/models/bitnet-odd/packed");
  for (const TensorInspection& tensor : inspect_checkpoint(packed)) {
    EXPECT_FALSE(tensor.statistics) << tensor.name;
  }
}

}  // namespace
}  // namespace bitnet
