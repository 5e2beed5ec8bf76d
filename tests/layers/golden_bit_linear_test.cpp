// SPDX-License-Identifier: MIT
// BitLinear against tests/golden/bitlinear. Oracle: the golden files, made by an independent
// implementation (tests/golden/PROVENANCE.md states the formulas).
//
// Cases with lambda below 1 mix quantized and float values; only a trainer does that, so its tests
// hold them. The four F64 cases with lambda 1 ask for float64 arithmetic, which this library does
// not have: their inputs, rounded to float32, must still give the same codes and integer sums (no
// code lies close to a boundary), and outputs within the float32 tolerance.
#include <bitnet/bit_linear.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reference/golden_view.h"

namespace bitnet {
namespace {

using nlohmann::json;
using reference::GoldenFile;

/// One case: its inputs as float32, and the layer made of them.
class GoldenLayer {
 public:
  GoldenLayer(const GoldenFile& file, const json& c)
      : file_(file),
        id_(c.at("id")),
        config_(reference::config_of_layer(c)),
        x_{floats("x"), Shape(c.at("x_shape").get<std::vector<std::size_t>>())},
        weight_{floats("w"), Shape(file.at(id_ + "/w").shape)},
        bias_(c.at("bias") ? floats("bias") : std::vector<float>{}),
        gain_(c.at("norm") == "weighted" ? floats("gain") : std::vector<float>{}) {}

  BitLinear layer() const {
    return BitLinear::from_weight(weight_.view(), bias_, config_).with_norm_weight(gain_);
  }
  const Tensor& x() const { return x_; }
  QuantizedActivations codes() const {
    QuantizedActivations q;
    if (config_.use_rms_norm) {
      rms_norm_quantize(x_.view(), gain_, config_, q);
    } else {
      quantize_activations(x_.view(), config_, q);
    }
    return q;
  }
  std::vector<float> floats(const std::string& name) const {
    return file_.at(id_ + "/" + name).floats();
  }
  std::vector<std::int8_t> codes(const std::string& name) const {
    return file_.at(id_ + "/" + name).values<std::int8_t>();
  }
  /// Golden [T, N] or [T, N, groups], in the library's order [T, groups, N].
  std::vector<std::int32_t> accumulators() const {
    const auto stored = file_.at(id_ + "/accumulators").values<std::int32_t>();
    const std::size_t rows = weight_.shape.rows();
    const std::size_t groups = stored.size() / (x_.shape.rows() * rows);
    std::vector<std::int32_t> ordered(stored.size());
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const std::size_t token = i / (rows * groups);
      const std::size_t row = i / groups % rows;
      ordered[(token * groups + i % groups) * rows + row] = stored[i];
    }
    return ordered;
  }
  bool has_accumulators() const { return file_.contains(id_ + "/accumulators"); }

 private:
  const GoldenFile& file_;
  std::string id_;
  BitNetConfig config_;
  Tensor x_;
  Tensor weight_;
  std::vector<float> bias_;
  std::vector<float> gain_;
};

/// max|found - expected| <= tolerance * max|expected|
void expect_close(const std::vector<float>& found, const std::vector<float>& expected,
                  double tolerance, const char* what) {
  ASSERT_EQ(found.size(), expected.size());
  double largest = 0;
  for (const float value : expected) {
    largest = std::max(largest, std::fabs(static_cast<double>(value)));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], tolerance * largest) << what << ", element " << i;
  }
}

TEST(GoldenBitLinear, CodesSumsAndOutputs) {
  const json index = reference::read_golden_json("bitlinear/cases.json");
  const double tolerance = index.at("tolerance").at("F32");
  const GoldenFile file("bitlinear/bitlinear.safetensors");
  int checked = 0;
  int with_sums = 0;
  for (const json& c : index.at("cases")) {
    if (c.at("lambda") != 1.0) {
      continue;
    }
    SCOPED_TRACE(c.at("id"));
    const GoldenLayer golden(file, c);
    const BitLinear layer = golden.layer();
    const QuantizedActivations codes = golden.codes();
    EXPECT_EQ(layer.weight().trits(), golden.codes("w_codes"));
    EXPECT_EQ(codes.data, golden.codes("x_codes"));
    if (golden.has_accumulators()) {
      EXPECT_EQ(layer.integer_product(codes), golden.accumulators());
      ++with_sums;
    }
    const Tensor y = layer.forward(golden.x().view());
    expect_close(y.data, golden.floats("y"), tolerance, "y");
    EXPECT_EQ(y.shape, Shape(file.at(c.at("id").get<std::string>() + "/y").shape));
    if (c.at("norm") != "none") {
      expect_close(rms_norm(golden.x().view(), layer.norm_weight(), layer.config().eps).data,
                   golden.floats("x_normed"), tolerance, "x_normed");
    }
    ++checked;
  }
  EXPECT_EQ(checked, 32);
  EXPECT_EQ(with_sums, 32);
}

}  // namespace
}  // namespace bitnet
