// SPDX-License-Identifier: MIT
// Weight ternarization against tests/golden/quantize. Oracle: the golden files, made by an
// independent implementation (tests/golden/PROVENANCE.md states the formulas).
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reference/float_distance.h"
#include "reference/golden_view.h"

namespace bitnet {
namespace {

using nlohmann::json;
using reference::GoldenFile;

std::vector<json> weight_cases(const std::string& expect) {
  const json index = reference::read_golden_json("quantize/cases.json");
  std::vector<json> found;
  for (const json& c : index.at("weights").at("cases")) {
    if (c.at("expect") == expect) {
      found.push_back(c);
    }
  }
  return found;
}

TEST(GoldenWeights, TritsAndScales) {
  const GoldenFile golden("quantize/weights.safetensors");
  const std::vector<json> cases = weight_cases("values");
  ASSERT_EQ(cases.size(), 208U);
  for (const json& c : cases) {
    const std::string id = c.at("id");
    SCOPED_TRACE(id);
    const TernaryWeight weight = quantize_weights(
        reference::view_of(golden.at(c.at("w"))),
        reference::with_weight_scope(reference::config_of_form(c.at("form")), c.at("scope")));

    const std::vector<std::int8_t> trits = weight.trits();
    EXPECT_EQ(trits, golden.at("q/" + id).values<std::int8_t>());
    const std::size_t zeros = c.at("zeros");
    EXPECT_EQ(weight.sparsity(), static_cast<double>(zeros) / static_cast<double>(trits.size()));

    const std::vector<float> scales = weight.scales();
    const auto expected = golden.at("scale/" + id).values<float>();
    ASSERT_EQ(scales.size(), expected.size());
    for (std::size_t i = 0; i < scales.size(); ++i) {
      EXPECT_LE(reference::float_distance(scales[i], expected[i]), 1)
          << "scale " << i << ": " << scales[i] << " for " << expected[i];
    }

    // ŵ = q * scale: one exact product, since q is -1, 0 or 1.
    const Tensor dequantized = dequantize_weights(weight);
    EXPECT_EQ(dequantized.shape, Shape(c.at("shape").get<std::vector<std::size_t>>()));
    const std::size_t per_scale = trits.size() / scales.size();
    for (std::size_t i = 0; i < trits.size(); ++i) {
      EXPECT_EQ(dequantized.data[i], static_cast<float>(trits[i]) * scales[i / per_scale]);
    }
  }
}

void expect_refused(const TensorView& w, const BitNetConfig& config, const json& error) {
  const std::string kind = error.at("kind");
  if (kind == "shape") {
    EXPECT_THROW(quantize_weights(w, config), ShapeMismatch);
    return;
  }
  if (kind == "config") {
    EXPECT_THROW(quantize_weights(w, config), InvalidConfig);
    return;
  }
  ASSERT_EQ(kind, "non_finite");
  try {
    quantize_weights(w, config);
    ADD_FAILURE() << "accepted";
  } catch (const NonFiniteError& found) {
    EXPECT_EQ(found.row, error.at("row"));
    EXPECT_EQ(found.column, error.at("column"));
    const std::string value = std::isnan(found.value) ? "nan" : found.value > 0 ? "+inf" : "-inf";
    EXPECT_EQ(value, error.at("value"));
  }
}

TEST(GoldenWeights, BadMatricesAreRefused) {
  const GoldenFile golden("quantize/weights.safetensors");
  const std::vector<json> cases = weight_cases("error");
  ASSERT_EQ(cases.size(), 10U);
  for (const json& c : cases) {
    SCOPED_TRACE(c.at("id"));
    const TensorView w = reference::view_of(golden.at(c.at("w")));
    for (const char* form : {"divide", "multiply"}) {
      const std::vector<std::string> scopes =
          c.contains("scope") ? std::vector<std::string>{c.at("scope")}
                              : std::vector<std::string>{"tensor", "row", "group32"};
      for (const std::string& scope : scopes) {
        SCOPED_TRACE(testing::Message() << form << ", " << scope);
        expect_refused(w, reference::with_weight_scope(reference::config_of_form(form), scope),
                       c.at("error"));
      }
    }
  }
}

}  // namespace
}  // namespace bitnet
