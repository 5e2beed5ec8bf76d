// SPDX-License-Identifier: MIT
#include "tokenizer/strict_json.h"

#include <bitnet/error.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/checked_json.h"
#include "base/message.h"

namespace bitnet {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxBytes = std::size_t{1} << 28;  // thirty times Llama 3's

Json parse_strictly(std::string_view text, const std::string& file) {
  if (text.size() > kMaxBytes) {
    throw FormatError(
        message(file, ": expected at most ", kMaxBytes, " bytes, found ", text.size()));
  }
  return parse_checked_json(text, file, {.max_depth = kMaxDepth});
}

}  // namespace

struct JsonValue::File {
  std::string name;
  Json root;
};

JsonValue JsonValue::parse(std::string_view text, const std::filesystem::path& file) {
  const auto parsed =
      std::make_shared<const File>(File{file.string(), parse_strictly(text, file.string())});
  return {parsed, parsed->root, ""};
}

bool JsonValue::is_object() const { return value_->is_object(); }
bool JsonValue::is_array() const { return value_->is_array(); }
bool JsonValue::is_string() const { return value_->is_string(); }

std::optional<JsonValue> JsonValue::find(const std::string& key) const {
  if (!value_->is_object()) {
    fail("an object");
  }
  const auto found = value_->find(key);
  if (found == value_->end() || found->is_null()) {
    return std::nullopt;
  }
  return JsonValue(file_, *found, key_.empty() ? key : key_ + "." + key);
}

JsonValue JsonValue::at(const std::string& key) const {
  auto found = find(key);
  if (!found) {
    fail(message("an object with the key '", key, "'"));
  }
  return *found;
}

std::vector<std::pair<std::string, JsonValue>> JsonValue::members() const {
  if (!value_->is_object()) {
    fail("an object");
  }
  std::vector<std::pair<std::string, JsonValue>> result;
  result.reserve(value_->size());
  for (const auto& [key, value] : value_->items()) {
    result.emplace_back(key, JsonValue(file_, value, message(key_, "['", key, "']")));
  }
  return result;
}

std::vector<JsonValue> JsonValue::elements() const {
  if (!value_->is_array()) {
    fail("an array");
  }
  std::vector<JsonValue> result;
  result.reserve(value_->size());
  for (const Json& value : *value_) {
    result.push_back(JsonValue(file_, value, message(key_, "[", result.size(), "]")));
  }
  return result;
}

std::string JsonValue::text() const {
  if (!value_->is_string()) {
    fail("a string");
  }
  return value_->get<std::string>();
}

bool JsonValue::flag() const {
  if (!value_->is_boolean()) {
    fail("true or false");
  }
  return value_->get<bool>();
}

std::uint32_t JsonValue::number() const {
  if (!value_->is_number_unsigned() ||
      value_->get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
    fail("an integer from 0 to 2^32 - 1");
  }
  return value_->get<std::uint32_t>();
}

std::string JsonValue::text_or(const std::string& key, const std::string& fallback) const {
  const auto found = find(key);
  return found ? found->text() : fallback;
}

bool JsonValue::flag_or(const std::string& key, bool fallback) const {
  const auto found = find(key);
  return found ? found->flag() : fallback;
}

void JsonValue::fail(const std::string& expected) const {
  throw FormatError(message(file_->name, ": ", key_.empty() ? "the whole file" : key_,
                            ": expected ", expected, ", found ", describe_json(*value_)));
}

}  // namespace bitnet
