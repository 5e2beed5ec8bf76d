// SPDX-License-Identifier: MIT
#include "base/checked_json.h"

#include <bitnet/error.h>

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "base/message.h"

namespace bitnet {
namespace {

using Json = nlohmann::json;

/// A pass of its own, because the library's callback for a parser of values takes time that grows
/// with the square of the text.
class JsonCheck : public nlohmann::json_sax<Json> {
 public:
  JsonCheck(const std::string& file, const JsonRules& rules) : file_(file), rules_(rules) {}

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*elements*/) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return open(); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    if (rules_.unique_keys && !keys_of_open_.back().insert(key).second) {
      throw FormatError(message(file_, ": key '", key, "' appears twice"));
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const Json::exception& /*error*/) override {
    throw FormatError(message(file_, ": expected JSON in UTF-8, found an error near byte ",
                              rules_.offset + position));
  }

 private:
  bool open() {
    if (keys_of_open_.size() == rules_.max_depth) {
      throw FormatError(message(file_, ": expected JSON of at most ", rules_.max_depth, " levels"));
    }
    keys_of_open_.emplace_back();
    return true;
  }
  bool close() {
    keys_of_open_.pop_back();
    return true;
  }

  const std::string& file_;
  const JsonRules& rules_;
  std::vector<std::unordered_set<std::string>> keys_of_open_;  // an array has none
};

}  // namespace

Json parse_checked_json(std::string_view text, const std::string& file, const JsonRules& rules) {
  // To the JSON library the text would end here, whatever follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    throw FormatError(
        message(file, ": expected JSON, found a zero byte at byte ", rules.offset + nul));
  }
  JsonCheck check(file, rules);
  Json::sax_parse(text, &check);
  return Json::parse(text);
}

std::string describe_json(const Json& value) {
  constexpr std::size_t kShown = 60;
  std::string text = value.dump(-1, ' ', true);  // ASCII may be cut anywhere
  if (text.size() > kShown) {
    text.resize(kShown);
    text = message(value.type_name(), " ", text, "...");
  }
  return text;
}

}  // namespace bitnet
