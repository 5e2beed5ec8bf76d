// SPDX-License-Identifier: MIT
#include <bitnet/config.h>
#include <bitnet/error.h>

#include <array>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

using nlohmann::json;

template <class Enum>
struct Named {
  Enum value;
  std::string_view name;
};

constexpr std::array<Named<Granularity>, 3> kGranularities = {
    {{Granularity::tensor, "tensor"}, {Granularity::row, "row"}, {Granularity::group, "group"}}};
constexpr std::array<Named<Rounding>, 2> kRoundings = {
    {{Rounding::half_away_from_zero, "half_away_from_zero"},
     {Rounding::half_to_even, "half_to_even"}}};
constexpr std::array<Named<Scaling>, 2> kScalings = {
    {{Scaling::divide, "divide"}, {Scaling::multiply, "multiply"}}};

template <class Enum, std::size_t count>
std::string name_of(Enum value, const std::array<Named<Enum>, count>& names) {
  for (const Named<Enum>& entry : names) {
    if (entry.value == value) {
      return std::string(entry.name);
    }
  }
  throw InvalidConfig(message("enumeration value ", static_cast<int>(value), " has no name"));
}

[[noreturn]] void wrong_type(const std::string& key, const char* expected, const json& found) {
  throw FormatError(message("config: key '", key, "': expected ", expected, ", found ",
                            found.dump(-1, ' ', false, json::error_handler_t::replace)));
}

void read(const std::string& key, const json& value, bool& out) {
  if (!value.is_boolean()) wrong_type(key, "true or false", value);
  out = value.get<bool>();
}
void read(const std::string& key, const json& value, float& out) {
  if (!value.is_number()) wrong_type(key, "a number", value);
  out = value.get<float>();
}
void read(const std::string& key, const json& value, int& out) {
  if (!value.is_number_integer() || value > 1000 || value < -1000) {
    wrong_type(key, "a small integer", value);
  }
  out = value.get<int>();
}
void read(const std::string& key, const json& value, std::size_t& out) {
  if (!value.is_number_unsigned()) wrong_type(key, "a non-negative integer", value);
  out = value.get<std::size_t>();
}
template <class Enum, std::size_t count>
void read(const std::string& key, const json& value, Enum& out,
          const std::array<Named<Enum>, count>& names) {
  std::string valid;
  for (const Named<Enum>& entry : names) {
    if (value == entry.name) {
      out = entry.value;
      return;
    }
    valid += (valid.empty() ? "" : ", ") + std::string(entry.name);
  }
  wrong_type(key, ("one of " + valid).c_str(), value);
}

void read_field(BitNetConfig& config, const std::string& key, const json& value) {
  if (key == "weight_granularity")
    return read(key, value, config.weight_granularity, kGranularities);
  if (key == "group_size") return read(key, value, config.group_size);
  if (key == "activation_bits") return read(key, value, config.activation_bits);
  if (key == "per_token_activation") return read(key, value, config.per_token_activation);
  if (key == "rounding") return read(key, value, config.rounding, kRoundings);
  if (key == "scaling") return read(key, value, config.scaling, kScalings);
  if (key == "magnitude_floor") return read(key, value, config.magnitude_floor);
  if (key == "use_rms_norm") return read(key, value, config.use_rms_norm);
  if (key == "eps") return read(key, value, config.eps);
  if (key == "enable_ste") return read(key, value, config.enable_ste);
  throw FormatError(message("config: unknown key '", key, "'"));
}

template <class Value>
BitNetConfig with(BitNetConfig config, Value BitNetConfig::*field, Value value) {
  config.*field = value;
  return config;
}

}  // namespace

BitNetConfig BitNetConfig::inference() { return BitNetConfig{}.with_ste(false); }
BitNetConfig BitNetConfig::training() { return BitNetConfig{}; }
BitNetConfig BitNetConfig::b158() {
  return BitNetConfig{}
      .with_weight_granularity(Granularity::tensor)
      .with_rounding(Rounding::half_to_even)
      .with_scaling(Scaling::multiply)
      .with_magnitude_floor(1e-5F)
      .with_rms_norm(false);
}

BitNetConfig BitNetConfig::with_weight_granularity(Granularity value) const {
  return with(*this, &BitNetConfig::weight_granularity, value);
}
BitNetConfig BitNetConfig::with_group_size(std::size_t value) const {
  return with(*this, &BitNetConfig::group_size, value);
}
BitNetConfig BitNetConfig::with_activation_bits(int value) const {
  return with(*this, &BitNetConfig::activation_bits, value);
}
BitNetConfig BitNetConfig::with_per_token_activation(bool value) const {
  return with(*this, &BitNetConfig::per_token_activation, value);
}
BitNetConfig BitNetConfig::with_rounding(Rounding value) const {
  return with(*this, &BitNetConfig::rounding, value);
}
BitNetConfig BitNetConfig::with_scaling(Scaling value) const {
  return with(*this, &BitNetConfig::scaling, value);
}
BitNetConfig BitNetConfig::with_magnitude_floor(float value) const {
  return with(*this, &BitNetConfig::magnitude_floor, value);
}
BitNetConfig BitNetConfig::with_rms_norm(bool value) const {
  return with(*this, &BitNetConfig::use_rms_norm, value);
}
BitNetConfig BitNetConfig::with_eps(float value) const {
  return with(*this, &BitNetConfig::eps, value);
}
BitNetConfig BitNetConfig::with_ste(bool value) const {
  return with(*this, &BitNetConfig::enable_ste, value);
}

void BitNetConfig::validate() const {
  if (!std::has_single_bit(group_size)) {
    throw InvalidConfig(message("group_size: expected a power of two, found ", group_size));
  }
  if (activation_bits < 2 || activation_bits > 8) {
    throw InvalidConfig(message("activation_bits: expected 2..8, found ", activation_bits));
  }
  if (!(magnitude_floor >= 0.0F) || magnitude_floor > 1.0F) {
    throw InvalidConfig(message("magnitude_floor: expected 0..1, found ", magnitude_floor));
  }
  if (!(eps > 0.0F) || !std::isfinite(eps)) {
    throw InvalidConfig(message("eps: expected a positive finite number, found ", eps));
  }
}

std::string BitNetConfig::to_json() const {
  return json{{"weight_granularity", name_of(weight_granularity, kGranularities)},
              {"group_size", group_size},
              {"activation_bits", activation_bits},
              {"per_token_activation", per_token_activation},
              {"rounding", name_of(rounding, kRoundings)},
              {"scaling", name_of(scaling, kScalings)},
              {"magnitude_floor", magnitude_floor},
              {"use_rms_norm", use_rms_norm},
              {"eps", eps},
              {"enable_ste", enable_ste}}
      .dump(2);
}

BitNetConfig BitNetConfig::from_json(std::string_view text) {
  json object;
  try {
    object = json::parse(text);
  } catch (const json::exception& error) {
    throw FormatError(message("config: not JSON: ", error.what()));
  }
  if (!object.is_object()) {
    throw FormatError("config: expected a JSON object");
  }
  BitNetConfig config;
  for (const auto& [key, value] : object.items()) {
    read_field(config, key, value);
  }
  config.validate();
  return config;
}

}  // namespace bitnet
