// SPDX-License-Identifier: MIT
#include "corpus/document_reader.h"

#include <bitnet/error.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/checked_json.h"
#include "base/mapped_file.h"
#include "base/message.h"

namespace bitnet::train {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxJsonDepth = 64;

std::vector<fs::path> text_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == ".txt" && at->is_regular_file()) {
      files.push_back(at->path());
    }
  }
  if (error) {
    throw IoError(message(folder.string(), ": cannot list: ", error.message()));
  }
  std::ranges::sort(files);
  return files;
}

std::string string_of(const nlohmann::json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    throw FormatError(message(where, ": expected a string \"", key, "\", found ",
                              found == object.end() ? "none" : describe_json(*found)));
  }
  return found->get<std::string>();
}

Document parse_line(std::string_view line, const std::string& where) {
  const nlohmann::json object = parse_checked_json(line, where, {.max_depth = kMaxJsonDepth});
  if (!object.is_object()) {
    throw FormatError(message(where, ": expected an object, found ", describe_json(object)));
  }
  const bool has_prompt = object.contains("prompt") || object.contains("completion");
  if (has_prompt == object.contains("text")) {
    throw FormatError(message(where,
                              ": expected either \"text\" or \"prompt\" and \"completion\", ",
                              "found ", describe_json(object)));
  }
  if (!has_prompt) {
    return {std::nullopt, string_of(object, "text", where)};
  }
  return {string_of(object, "prompt", where), string_of(object, "completion", where)};
}

void read_json_lines(std::string_view text, const fs::path& file,
                     const std::function<void(Document&&)>& add) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    Document document = parse_line(line, message(file.string(), ": line ", number));
    if (document.prompt || !document.text.empty()) {
      add(std::move(document));
    }
  }
}

}  // namespace

SourceKind kind_of(const fs::path& file) {
  const fs::path extension = file.extension();
  return extension == ".jsonl"         ? SourceKind::json_lines
         : extension == ".safetensors" ? SourceKind::token_file
                                       : SourceKind::text;
}

std::vector<fs::path> source_files(const Sources& sources) {
  std::vector<fs::path> files;
  for (const fs::path& source : sources) {
    std::error_code error;
    const fs::file_status status = fs::status(source, error);
    if (fs::is_directory(status)) {
      std::ranges::move(text_files(source), std::back_inserter(files));
    } else if (fs::is_regular_file(status)) {
      files.push_back(source);
    } else {
      throw IoError(message(source.string(), ": expected a file or folder, found ",
                            fs::exists(status) ? "something else" : "nothing"));
    }
  }
  return files;
}

void read_documents(const fs::path& file, const std::function<void(Document&&)>& add) {
  const MappedFile mapped(file);
  const std::string_view text(reinterpret_cast<const char*>(mapped.bytes().data()),
                              mapped.bytes().size());
  if (kind_of(file) == SourceKind::json_lines) {
    read_json_lines(text, file, add);
  } else if (!text.empty()) {
    add({std::nullopt, std::string(text)});
  }
}

}  // namespace bitnet::train
