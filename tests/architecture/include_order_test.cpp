// SPDX-License-Identifier: MIT
// Oracle of all tests here: the rules of docs/architecture.md, applied to the text of the sources.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "architecture/source_tree.h"

namespace bitnet::architecture {
namespace {

std::string first_folder(const std::string& include) {
  return include.substr(0, include.find('/'));
}

/// The folder below src/ that holds a file.
std::string layer_of(const SourceFile& file) { return std::next(file.path.begin())->string(); }

std::vector<SourceFile> core_files() {
  std::vector<SourceFile> files = source_files("include");
  for (SourceFile& file : source_files("src")) files.push_back(std::move(file));
  return files;
}

TEST(IncludeOrder, ReadsTheDocumentedLayers) {
  const std::vector<std::string> layers = documented_layers();
  ASSERT_GE(layers.size(), 2U);
  EXPECT_EQ(layers.front(), "base");
}

TEST(IncludeOrder, GoesOnlyUpTheList) {
  const std::vector<std::string> layers = documented_layers();
  for (const SourceFile& file : source_files("src")) {
    const auto own = std::ranges::find(layers, layer_of(file));
    ASSERT_NE(own, layers.end()) << file.path;
    for (const std::string& include : includes(file)) {
      const auto target = std::ranges::find(layers, first_folder(include));
      const bool is_lower_or_own = target == layers.end() || target <= own;
      EXPECT_TRUE(is_lower_or_own) << file.path << " includes " << include;
    }
  }
}

TEST(IncludeOrder, FormatsNeedOnlyBaseAndTernary) {
  for (const SourceFile& file : source_files("src/formats")) {
    for (const std::string& include : includes(file)) {
      const std::string folder = first_folder(include);
      EXPECT_TRUE(folder != "kernels" && folder != "quantize" && folder != "layers")
          << file.path << " includes " << include;
    }
  }
}

TEST(IncludeOrder, PublicHeadersIncludeOnlyPublicHeaders) {
  for (const SourceFile& file : source_files("include")) {
    for (const std::string& include : includes(file)) {
      const bool is_standard = include.find('/') == std::string::npos && !include.ends_with(".h");
      const bool is_c = file.path.filename() == "c_api.h" && include.starts_with("std");
      EXPECT_TRUE(is_standard || is_c || include.starts_with("bitnet/"))
          << file.path << " includes " << include;
    }
  }
}

TEST(IncludeOrder, CoreKnowsNoProgramAndNoHeavyLibrary) {
  static const std::regex kForeign(
      "(html|cli|server|train|cuda|python|torch|ATen|c10|pybind11)/.*|"
      "(cuda|cublas|httplib|mpi|CLI11?|pybind11|sentencepiece).*");
  for (const SourceFile& file : core_files()) {
    for (const std::string& include : includes(file)) {
      EXPECT_FALSE(std::regex_match(include, kForeign)) << file.path << " includes " << include;
    }
  }
}

TEST(Intrinsics, LiveOnlyInKernels) {
  static const std::regex kIntrinsic(
      R"(immintrin\.h|x86intrin\.h|arm_neon\.h|\b_mm\d*_\w+|\b__m(128|256|512)|\bv\w+q_[sufp]\d+\b)");
  for (const SourceFile& file : core_files()) {
    if (file.path.string().starts_with("src/kernels/")) continue;
    EXPECT_FALSE(std::regex_search(file.text, kIntrinsic)) << file.path;
  }
}

}  // namespace
}  // namespace bitnet::architecture
