// SPDX-License-Identifier: MIT
// Oracle: the tree drawn in docs/architecture.md against the folders on disk, both ways.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "architecture/source_tree.h"

namespace bitnet::architecture {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = BITNET_SOURCE_DIR;

/// Folders down to the second level, as "src/" and "src/base/"; what git ignores is no part.
std::set<std::string> folders_on_disk() {
  std::set<std::string> folders;
  for (auto entry = fs::recursive_directory_iterator(kRoot); entry != fs::end(entry); ++entry) {
    if (!entry->is_directory()) continue;
    const std::string name = entry->path().filename();
    if (name.starts_with('.') || name == "build") {
      entry.disable_recursion_pending();
      continue;
    }
    folders.insert(entry->path().lexically_relative(kRoot).string() + "/");
    if (entry.depth() == 1) entry.disable_recursion_pending();
  }
  return folders;
}

TEST(Tree, EveryDocumentedPathExists) {
  const std::vector<std::string> documented = documented_tree();
  ASSERT_FALSE(documented.empty());
  for (const std::string& path : documented) {
    EXPECT_TRUE(fs::exists(kRoot / path)) << path;
    EXPECT_EQ(fs::is_directory(kRoot / path), path.ends_with('/')) << path;
  }
}

TEST(Tree, EveryFolderIsDocumented) {
  const std::vector<std::string> documented = documented_tree();
  for (const std::string& folder : folders_on_disk()) {
    // "include/bitnet/" on one line also documents "include/".
    const auto is_in = [&](const std::string& path) { return path.starts_with(folder); };
    EXPECT_TRUE(std::ranges::any_of(documented, is_in)) << folder;
  }
}

TEST(Tree, NoFileIsNamedAfterNothing) {
  static const std::set<std::string> kEmptyNames = {"utils", "util",   "helpers", "helper",
                                                    "misc",  "common", "manager"};
  for (auto entry = fs::recursive_directory_iterator(kRoot); entry != fs::end(entry); ++entry) {
    const std::string name = entry->path().filename();
    if (name.starts_with('.') || name == "build") {
      entry.disable_recursion_pending();
      continue;
    }
    EXPECT_FALSE(kEmptyNames.contains(entry->path().stem().string())) << entry->path();
  }
}

TEST(Tree, EverySourceOpensWithItsLicence) {
  for (const char* folder :
       {"include", "src", "html", "cli", "train", "examples", "tests", "bench", "models"}) {
    for (const SourceFile& file : source_files(folder)) {
      EXPECT_TRUE(file.text.starts_with("// SPDX-License-Identifier: MIT\n")) << file.path;
      if (file.path.extension() == ".h") {
        EXPECT_NE(file.text.find("#pragma once"), std::string::npos) << file.path;
      }
    }
  }
}

TEST(Tree, UmbrellaHeaderListsEveryPublicHeader) {
  const std::string umbrella = read_text(kRoot / "include/bitnet/bitnet.h");
  for (const SourceFile& file : source_files("include/bitnet")) {
    const std::string name = file.path.filename();
    // C++ programs have no use for the functions of C.
    if (name == "bitnet.h" || name == "c_api.h") continue;
    EXPECT_NE(umbrella.find("#include <bitnet/" + name + ">"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace bitnet::architecture
