// SPDX-License-Identifier: MIT
// Activation quantization against tests/golden/quantize. Oracle: the golden files, made by an
// independent implementation (tests/golden/PROVENANCE.md states the formulas).
#include <bitnet/error.h>
#include <bitnet/quantize.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "reference/float_distance.h"
#include "reference/golden_view.h"

namespace bitnet {
namespace {

using nlohmann::json;
using reference::float_distance;
using reference::GoldenFile;

BitNetConfig config_of(const json& golden_case) {
  return reference::config_of_form(golden_case.at("form"))
      .with_activation_bits(golden_case.at("bits"))
      .with_per_token_activation(golden_case.at("scope") == "token");
}

/// Cases of a list of cases.json that expect `expect`.
std::vector<json> cases_expecting(const std::string& list, const std::string& expect) {
  const json index = reference::read_golden_json("quantize/cases.json");
  std::vector<json> found;
  for (const json& golden_case : index.at(list).at("cases")) {
    if (golden_case.at("expect") == expect) {
      found.push_back(golden_case);
    }
  }
  return found;
}

/// Elements whose code differs; each may do so by 1, and only where the golden file marks a tie.
std::size_t count_code_differences(const QuantizedActivations& q, const GoldenFile& golden,
                                   const std::string& id) {
  const auto expected = golden.at("q/" + id).values<std::int8_t>();
  const bool has_ties = golden.contains("near_tie/" + id);
  const auto near_tie = has_ties ? golden.at("near_tie/" + id).values<std::uint8_t>()
                                 : std::vector<std::uint8_t>(expected.size(), 0);
  EXPECT_EQ(q.data.size(), expected.size());
  std::size_t differences = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const int difference = std::abs(q.data[i] - expected[i]);
    EXPECT_LE(difference, near_tie[i] != 0 ? 1 : 0) << "element " << i;
    differences += difference != 0 ? 1 : 0;
  }
  return differences;
}

void expect_scales(const QuantizedActivations& q, const GoldenFile& golden, const json& c) {
  const auto expected = golden.at("scale/" + c.at("id").get<std::string>()).values<float>();
  ASSERT_EQ(q.scales.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // The multiply form stores the factor of x; ours multiplies codes back.
    const float found = c.at("form") == "multiply" ? 1.0F / q.scales[i] : q.scales[i];
    EXPECT_LE(float_distance(found, expected[i]), 1)
        << "scale " << i << ": " << found << " for " << expected[i];
  }
}

TEST(GoldenActivations, CodesScalesAndDequantizedValues) {
  const GoldenFile golden("quantize/activations.safetensors");
  const std::vector<json> cases = cases_expecting("activations", "values");
  ASSERT_EQ(cases.size(), 462U);
  std::size_t differences_at_ties = 0;
  for (const json& c : cases) {
    const std::string id = c.at("id");
    SCOPED_TRACE(id);
    const QuantizedActivations q =
        quantize_activations(reference::view_of(golden.at(c.at("x"))), config_of(c));
    EXPECT_EQ(q.shape, Shape(c.at("shape").get<std::vector<std::size_t>>()));
    differences_at_ties += count_code_differences(q, golden, id);
    expect_scales(q, golden, c);
    if (golden.contains("dequantized/" + id)) {
      const auto expected = golden.at("dequantized/" + id).values<float>();
      const Tensor x = dequantize_activations(q);
      ASSERT_EQ(x.data.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LE(float_distance(x.data[i], expected[i]), 1)
            << "element " << i << ": " << x.data[i] << " for " << expected[i];
      }
    }
  }
  // Every operation is the one of the formula, so even the ties agree.
  EXPECT_EQ(differences_at_ties, 0U);
}

TEST(GoldenActivations, ScalesOutsideFloat32GiveCodesInRangeAndFiniteValues) {
  const GoldenFile golden("quantize/activations.safetensors");
  const std::vector<json> cases = cases_expecting("activations", "properties");
  ASSERT_EQ(cases.size(), 4U);
  for (const json& c : cases) {
    SCOPED_TRACE(c.at("id"));
    const TensorView x = reference::view_of(golden.at(c.at("x")));
    const BitNetConfig config = config_of(c);
    const QuantizedActivations q = quantize_activations(x, config);
    for (const std::int8_t code : q.data) {
      EXPECT_LE(std::abs(code), config.qmax());
    }
    for (const float scale : q.scales) {
      EXPECT_TRUE(std::isfinite(scale) && scale > 0.0F) << scale;
    }
    for (const float value : dequantize_activations(q).data) {
      EXPECT_TRUE(std::isfinite(value)) << value;
    }
    EXPECT_EQ(q.data, quantize_activations(x, config).data) << "not deterministic";
  }
}

template <class Check>
void for_every_form_bits_and_scope(Check check) {
  for (const char* form : {"divide", "multiply"}) {
    for (int bits = 2; bits <= 8; ++bits) {
      for (const bool per_token : {true, false}) {
        SCOPED_TRACE(testing::Message()
                     << form << ", " << bits << " bits, per token " << per_token);
        check(reference::config_of_form(form).with_activation_bits(bits).with_per_token_activation(
            per_token));
      }
    }
  }
}

void expect_non_finite(const TensorView& x, const BitNetConfig& config, const json& error) {
  try {
    quantize_activations(x, config);
    ADD_FAILURE() << "accepted";
  } catch (const NonFiniteError& found) {
    EXPECT_EQ(found.row, error.at("row"));
    EXPECT_EQ(found.column, error.at("column"));
    const std::string value = std::isnan(found.value) ? "nan" : found.value > 0 ? "+inf" : "-inf";
    EXPECT_EQ(value, error.at("value"));
    EXPECT_NE(std::string(found.what()).find("row " + error.at("row").dump()), std::string::npos)
        << found.what();
  }
}

TEST(GoldenActivations, BadInputsAreRefused) {
  const GoldenFile golden("quantize/activation_errors.safetensors");
  std::vector<json> cases = cases_expecting("activation_errors", "error");
  // 9 and 16 bits: this library has no wider path, so it must refuse.
  const std::vector<json> wider = cases_expecting("activation_errors", "error_or_wider");
  cases.insert(cases.end(), wider.begin(), wider.end());
  ASSERT_EQ(cases.size(), 58U);
  for (const json& c : cases) {
    SCOPED_TRACE(c.at("id"));
    const TensorView x = reference::view_of(golden.at(c.at("x")));
    const std::string kind = c.at("error").at("kind");
    if (kind == "config") {
      for (const char* form : {"divide", "multiply"}) {
        EXPECT_THROW(quantize_activations(
                         x, reference::config_of_form(form).with_activation_bits(c.at("bits"))),
                     InvalidConfig);
      }
      continue;
    }
    for_every_form_bits_and_scope([&](const BitNetConfig& config) {
      if (kind == "shape") {
        EXPECT_THROW(quantize_activations(x, config), ShapeMismatch);
      } else {
        ASSERT_EQ(kind, "non_finite");
        expect_non_finite(x, config, c.at("error"));
      }
    });
  }
}

}  // namespace
}  // namespace bitnet
