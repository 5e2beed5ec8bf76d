// SPDX-License-Identifier: MIT
// The project's own files, read as text, and the rules that docs/architecture.md states about them.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace bitnet::architecture {

struct SourceFile {
  std::filesystem::path path;  // relative to the project's root
  std::string text;
};

std::string read_text(const std::filesystem::path& path);

/// Every .h and .cpp file below a folder of the project, by name.
std::vector<SourceFile> source_files(const std::filesystem::path& folder);

/// What a file includes, without quotes and brackets, in order.
std::vector<std::string> includes(const SourceFile& file);

/// Paths of the tree drawn in docs/architecture.md, in its order; folders end with '/'.
std::vector<std::string> documented_tree();

/// The folders below src/ in the documented order: each may include only itself and those before.
std::vector<std::string> documented_layers();

}  // namespace bitnet::architecture
