// SPDX-License-Identifier: MIT
// The documents of a corpus as text.
#pragma once

#include <bitnet/train/token_file.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bitnet::train {

enum class SourceKind { text, json_lines, token_file };

/// By the file's extension.
SourceKind kind_of(const std::filesystem::path& file);

/// The sources in order, each folder replaced by its files. IoError for what is not there.
std::vector<std::filesystem::path> source_files(const Sources& sources);

struct Document {
  std::optional<std::string> prompt;
  std::string text;  ///< behind the prompt: its completion
};

/// Calls `add` with each document of a text or JSON lines file that is not empty. FormatError
/// naming file and line.
void read_documents(const std::filesystem::path& file, const std::function<void(Document&&)>& add);

}  // namespace bitnet::train
