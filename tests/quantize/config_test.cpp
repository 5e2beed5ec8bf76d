// SPDX-License-Identifier: MIT
// BitNetConfig: defaults, presets, setters, validation, JSON. Oracle: the table of fields in
// docs/numerics.md, written out here as literals.
#include <bitnet/config.h>
#include <bitnet/error.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace bitnet {
namespace {

TEST(BitNetConfig, DefaultsAreTheSeeds) {
  const BitNetConfig config;
  EXPECT_EQ(config.weight_granularity, Granularity::group);
  EXPECT_EQ(config.group_size, 64U);
  EXPECT_EQ(config.activation_bits, 8);
  EXPECT_TRUE(config.per_token_activation);
  EXPECT_EQ(config.rounding, Rounding::half_away_from_zero);
  EXPECT_EQ(config.scaling, Scaling::divide);
  EXPECT_EQ(config.magnitude_floor, 0.0F);
  EXPECT_TRUE(config.use_rms_norm);
  EXPECT_EQ(config.eps, 1e-5F);
  EXPECT_TRUE(config.enable_ste);
  EXPECT_NO_THROW(config.validate());
}

TEST(BitNetConfig, PresetsDifferOnlyWhereTheySay) {
  EXPECT_EQ(BitNetConfig::training(), BitNetConfig{});
  BitNetConfig inference;
  inference.enable_ste = false;
  EXPECT_EQ(BitNetConfig::inference(), inference);

  BitNetConfig published;
  published.weight_granularity = Granularity::tensor;
  published.rounding = Rounding::half_to_even;
  published.scaling = Scaling::multiply;
  published.magnitude_floor = 1e-5F;
  published.use_rms_norm = false;
  EXPECT_EQ(BitNetConfig::b158(), published);
  EXPECT_NO_THROW(BitNetConfig::b158().validate());
}

TEST(BitNetConfig, SettersChainAndChangeOneFieldEach) {
  BitNetConfig expected;
  expected.weight_granularity = Granularity::row;
  expected.group_size = 128;
  expected.activation_bits = 4;
  expected.per_token_activation = false;
  expected.rounding = Rounding::half_to_even;
  expected.scaling = Scaling::multiply;
  expected.magnitude_floor = 0.25F;
  expected.use_rms_norm = false;
  expected.eps = 1e-6F;
  expected.enable_ste = false;
  const BitNetConfig original;
  EXPECT_EQ(original.with_weight_granularity(Granularity::row)
                .with_group_size(128)
                .with_activation_bits(4)
                .with_per_token_activation(false)
                .with_rounding(Rounding::half_to_even)
                .with_scaling(Scaling::multiply)
                .with_magnitude_floor(0.25F)
                .with_rms_norm(false)
                .with_eps(1e-6F)
                .with_ste(false),
            expected);
  EXPECT_EQ(original, BitNetConfig{}) << "setters return a copy";
}

TEST(BitNetConfig, QmaxIsTheLargestCode) {
  const int expected[] = {1, 3, 7, 15, 31, 63, 127};
  for (int bits = 2; bits <= 8; ++bits) {
    EXPECT_EQ(BitNetConfig{}.with_activation_bits(bits).qmax(), expected[bits - 2]);
  }
}

/// The message must name the field.
void expect_invalid(const BitNetConfig& config, const std::string& field) {
  try {
    config.validate();
    ADD_FAILURE() << field << " accepted";
  } catch (const InvalidConfig& error) {
    EXPECT_NE(std::string(error.what()).find(field), std::string::npos) << error.what();
  }
}

TEST(BitNetConfig, ValidateNamesTheBadField) {
  const BitNetConfig config;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{48}, std::size_t{65}, ~std::size_t{0}}) {
    expect_invalid(config.with_group_size(size), "group_size");
  }
  for (const int bits : {-1, 0, 1, 9, 16, 17, 32, std::numeric_limits<int>::max()}) {
    expect_invalid(config.with_activation_bits(bits), "activation_bits");
  }
  for (const float eps : {0.0F, -1e-5F, NAN, INFINITY}) {
    expect_invalid(config.with_eps(eps), "eps");
  }
  for (const float floor : {-1e-5F, NAN, INFINITY}) {
    expect_invalid(config.with_magnitude_floor(floor), "magnitude_floor");
  }
  for (const std::size_t size : {1U, 2U, 16U, 4096U}) {
    EXPECT_NO_THROW(config.with_group_size(size).validate());
  }
}

TEST(BitNetConfig, JsonRoundTripKeepsEveryField) {
  const BitNetConfig unusual = BitNetConfig::b158()
                                   .with_weight_granularity(Granularity::row)
                                   .with_group_size(256)
                                   .with_activation_bits(3)
                                   .with_per_token_activation(false)
                                   .with_eps(1.1e-7F)
                                   .with_ste(false);
  for (const BitNetConfig& config :
       {BitNetConfig{}, BitNetConfig::inference(), BitNetConfig::b158(), unusual}) {
    EXPECT_EQ(BitNetConfig::from_json(config.to_json()), config);
  }
}

TEST(BitNetConfig, JsonIsOneObjectWithOneKeyPerField) {
  const auto json = nlohmann::json::parse(BitNetConfig{}.to_json());
  const auto expected = nlohmann::json::parse(R"({
    "weight_granularity": "group", "group_size": 64, "activation_bits": 8,
    "per_token_activation": true, "rounding": "half_away_from_zero", "scaling": "divide",
    "magnitude_floor": 0.0, "use_rms_norm": true, "enable_ste": true})");
  EXPECT_EQ(json.size(), expected.size() + 1);
  for (const auto& [key, value] : expected.items()) {
    EXPECT_EQ(json.at(key), value) << key;
  }
  EXPECT_EQ(json.at("eps").get<float>(), 1e-5F);
}

TEST(BitNetConfig, JsonTakesMissingKeysFromTheDefaults) {
  EXPECT_EQ(BitNetConfig::from_json("{}"), BitNetConfig{});
  EXPECT_EQ(BitNetConfig::from_json(R"({"group_size": 32, "scaling": "multiply"})"),
            BitNetConfig{}.with_group_size(32).with_scaling(Scaling::multiply));
}

TEST(BitNetConfig, JsonOfTheWrongFormIsRefused) {
  for (const char* text : {"",
                           "{",
                           "[]",
                           "null",
                           "7",
                           "{\"group_size\": 64",
                           R"({"group-size": 64})",
                           R"({"unknown": 1})",
                           R"({"group_size": "64"})",
                           R"({"group_size": -64})",
                           R"({"group_size": 64.5})",
                           R"({"activation_bits": true})",
                           R"({"activation_bits": 8.5})",
                           R"({"activation_bits": 4294967304})",
                           R"({"per_token_activation": 1})",
                           R"({"use_rms_norm": null})",
                           R"({"enable_ste": "yes"})",
                           R"({"eps": "1e-5"})",
                           R"({"magnitude_floor": []})",
                           R"({"rounding": "up"})",
                           R"({"rounding": 0})",
                           R"({"scaling": "DIVIDE"})",
                           R"({"weight_granularity": "block"})",
                           "{\"scaling\": \"\xff\"}"}) {
    EXPECT_THROW(BitNetConfig::from_json(text), FormatError) << text;
  }
}

TEST(BitNetConfig, JsonIsValidated) {
  EXPECT_THROW(BitNetConfig::from_json(R"({"group_size": 48})"), InvalidConfig);
  EXPECT_THROW(BitNetConfig::from_json(R"({"activation_bits": 9})"), InvalidConfig);
  EXPECT_THROW(BitNetConfig::from_json(R"({"eps": 0})"), InvalidConfig);
  EXPECT_THROW(BitNetConfig::from_json(R"({"eps": 1e300})"), InvalidConfig);
}

}  // namespace
}  // namespace bitnet
