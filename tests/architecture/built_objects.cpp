// SPDX-License-Identifier: MIT
#include "architecture/built_objects.h"

#include <array>
#include <cstdio>
#include <memory>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "architecture/source_tree.h"

namespace bitnet::architecture {

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> part{};
  for (std::size_t n = 0; (n = fread(part.data(), 1, part.size(), pipe.get())) > 0;) {
    output.append(part.data(), n);
  }
  return output;
}

std::vector<std::string> isa_sources() {
  static const std::regex kIsaSource(R"(bitnet_isa_source\(bitnet (kernels/\w+\.cpp))");
  const std::string text = read_text(BITNET_SOURCE_DIR "/src/CMakeLists.txt");
  std::vector<std::string> sources;
  for (std::sregex_iterator match(text.begin(), text.end(), kIsaSource), end; match != end;
       ++match) {
    sources.push_back((*match)[1]);
  }
  return sources;
}

std::string object_of(const std::string& source) {
  std::istringstream objects(read_text(BITNET_OBJECT_LIST));
  for (std::string object; std::getline(objects, object);) {
    if (object.ends_with(source + ".o")) return object;
  }
  return {};
}

}  // namespace bitnet::architecture
