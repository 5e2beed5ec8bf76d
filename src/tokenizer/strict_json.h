// SPDX-License-Identifier: MIT
// JSON files of other programs: parsed once, read with errors that name file and key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet {

/// A value of a parsed file and the way to it. Copies share the file.
class JsonValue {
 public:
  /// FormatError for what is no JSON in UTF-8, repeats a key or nests deeper than 64 levels (a
  /// parsed value is destroyed by recursion).
  static JsonValue parse(std::string_view text, const std::filesystem::path& file);

  bool is_object() const;
  bool is_array() const;
  bool is_string() const;

  /// A member of an object. nullopt when the key is absent or null, which files use alike.
  std::optional<JsonValue> find(const std::string& key) const;
  /// FormatError when there is none.
  JsonValue at(const std::string& key) const;
  /// FormatError unless it is an object.
  std::vector<std::pair<std::string, JsonValue>> members() const;
  /// FormatError unless it is an array.
  std::vector<JsonValue> elements() const;

  /// Each a FormatError for a value of another kind.
  std::string text() const;
  bool flag() const;
  std::uint32_t number() const;

  /// Of a member; absent or null gives the fallback.
  std::string text_or(const std::string& key, const std::string& fallback) const;
  bool flag_or(const std::string& key, bool fallback) const;

  /// "FILE: key: expected EXPECTED, found (this value)".
  [[noreturn]] void fail(const std::string& expected) const;

 private:
  struct File;
  JsonValue(std::shared_ptr<const File> file, const nlohmann::json& value, std::string key)
      : file_(std::move(file)), value_(&value), key_(std::move(key)) {}

  std::shared_ptr<const File> file_;
  const nlohmann::json* value_;  ///< within file_
  std::string key_;              ///< as "model.merges[3]"
};

}  // namespace bitnet
