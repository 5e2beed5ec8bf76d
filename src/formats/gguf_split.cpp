// SPDX-License-Identifier: MIT
#include "formats/gguf_split.h"

#include <bitnet/error.h>

#include <iomanip>
#include <sstream>
#include <string_view>
#include <variant>

#include "base/message.h"

namespace bitnet {
namespace {

using Metadata = std::map<std::string, MetadataValue>;

constexpr const char* kNumberKey = "split.no";
constexpr const char* kCountKey = "split.count";
constexpr const char* kTensorsKey = "split.tensors.count";
constexpr std::uint64_t kMaxParts = 65535;  // both keys are uint16

/// A number of any integer type, not negative: published files differ in the type.
std::optional<std::uint64_t> find_number(const Metadata& metadata, const char* key,
                                         const std::filesystem::path& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    return std::nullopt;
  }
  if (const auto* const value = std::get_if<std::uint64_t>(&found->second)) {
    return *value;
  }
  const auto* const value = std::get_if<std::int64_t>(&found->second);
  if (value == nullptr || *value < 0) {
    throw FormatError(message(file.string(), ": key '", key, "': expected an integer of at least 0",
                              ", found ", value == nullptr ? "another type" : "a negative one"));
  }
  return static_cast<std::uint64_t>(*value);
}

/// "-00001-of-00003.gguf"
std::string name_ending(std::uint64_t number, std::uint64_t count) {
  std::ostringstream text;
  text << std::setfill('0') << '-' << std::setw(5) << number + 1 << "-of-" << std::setw(5) << count
       << ".gguf";
  return std::move(text).str();
}

}  // namespace

std::optional<GgufPart> gguf_part(const Metadata& metadata, const std::filesystem::path& file) {
  const auto count = find_number(metadata, kCountKey, file);
  if (!count || *count == 1) {
    return std::nullopt;
  }
  const auto number = find_number(metadata, kNumberKey, file);
  if (*count == 0 || *count > kMaxParts || !number || *number >= *count) {
    throw FormatError(message(file.string(), ": keys '", kNumberKey, "' and '", kCountKey,
                              "': expected a part below a count of 1..", kMaxParts, ", found ",
                              number ? message("part ", *number) : "no part", " of ", *count));
  }
  const std::string ending = name_ending(*number, *count);
  if (!file.filename().string().ends_with(ending)) {
    throw FormatError(message(file.string(), ": keys '", kNumberKey, "' and '", kCountKey,
                              "' say part ", *number, " of ", *count,
                              " (from 0): expected a file name that ends with ", ending));
  }
  return GgufPart{*number, *count, find_number(metadata, kTensorsKey, file)};
}

std::vector<std::filesystem::path> gguf_part_files(const std::filesystem::path& file,
                                                   const GgufPart& part) {
  const std::string name = file.filename().string();
  const std::string_view prefix =
      std::string_view(name).substr(0, name.size() - name_ending(part.number, part.count).size());
  std::vector<std::filesystem::path> files;
  for (std::uint64_t number = 0; number < part.count; ++number) {
    files.push_back(file.parent_path() / (std::string(prefix) + name_ending(number, part.count)));
  }
  return files;
}

}  // namespace bitnet
