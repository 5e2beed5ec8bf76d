// SPDX-License-Identifier: MIT
#include "architecture/source_tree.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace bitnet::architecture {

namespace fs = std::filesystem;

namespace {

const fs::path kRoot = BITNET_SOURCE_DIR;

/// Lines of the first fenced block of a Markdown text.
std::vector<std::string> first_fenced_block(const std::string& markdown) {
  std::istringstream lines(markdown);
  std::vector<std::string> block;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      if (inside) return block;
      inside = true;
    } else if (inside) {
      block.push_back(line);
    }
  }
  throw std::runtime_error("docs/architecture.md has no fenced tree");
}

}  // namespace

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<SourceFile> source_files(const fs::path& folder) {
  std::vector<SourceFile> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".h" || extension == ".cpp") {
      files.push_back({entry.path().lexically_relative(kRoot), read_text(entry.path())});
    }
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

std::vector<std::string> includes(const SourceFile& file) {
  static const std::regex kInclude(R"(#[ \t]*include[ \t]*[<"]([^>"]+)[>"])");
  std::vector<std::string> found;
  const std::string& text = file.text;
  for (std::sregex_iterator match(text.begin(), text.end(), kInclude), end; match != end; ++match) {
    found.push_back((*match)[1]);
  }
  return found;
}

std::vector<std::string> documented_tree() {
  std::vector<std::string> paths;
  std::vector<std::string> parents;  // the folder open at each depth
  for (const std::string& line : first_fenced_block(read_text(kRoot / "docs/architecture.md"))) {
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) continue;
    const std::string name = line.substr(indent, line.find(' ', indent) - indent);
    const std::size_t depth = indent / 2;
    if (depth > parents.size()) continue;  // the continuation of a description
    parents.resize(depth);
    paths.push_back((depth == 0 ? "" : parents.back()) + name);
    if (name.ends_with('/')) parents.push_back(paths.back());
  }
  return paths;
}

std::vector<std::string> documented_layers() {
  static const std::regex kLayer("src/([a-z_]+)/");
  std::vector<std::string> layers;
  for (const std::string& path : documented_tree()) {
    if (std::smatch match; std::regex_match(path, match, kLayer)) layers.push_back(match[1]);
  }
  return layers;
}

}  // namespace bitnet::architecture
