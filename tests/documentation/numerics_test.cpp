// SPDX-License-Identifier: MIT
// Oracle: the test sources. A formula of docs/numerics.md that names a test has that test.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string all_test_sources() {
  std::string sources;
  for (const auto& entry : fs::recursive_directory_iterator(BITNET_SOURCE_DIR "/tests")) {
    if (entry.path().extension() == ".cpp") sources += read_text(entry.path());
  }
  return sources;
}

TEST(Numerics, NamedTestsExist) {
  static const std::regex kTestName("`([A-Z][A-Za-z0-9]+)\\.([A-Z][A-Za-z0-9]+)`");
  const std::string document = read_text(BITNET_SOURCE_DIR "/docs/numerics.md");
  const std::string sources = all_test_sources();
  std::size_t named = 0;
  for (std::sregex_iterator match(document.begin(), document.end(), kTestName), end; match != end;
       ++match) {
    const std::string test = match->str(1) + ", " + match->str(2);
    EXPECT_NE(sources.find(test), std::string::npos) << match->str();
    ++named;
  }
  EXPECT_GT(named, 20U);
}

}  // namespace
