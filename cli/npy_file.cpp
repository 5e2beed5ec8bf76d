// SPDX-License-Identifier: MIT
#include "npy_file.h"

#include <string>

#include "base/output_file.h"

namespace bitnet::cli {

struct NpyFile::State {
  explicit State(const std::filesystem::path& path) : file(path) {}
  OutputFile file;
};

NpyFile::NpyFile(const std::filesystem::path& path, const std::vector<std::size_t>& shape)
    : state_(std::make_unique<State>(path)) {
  std::string dimensions;  // "(3, 4)", "(3,)"
  for (const std::size_t dimension : shape) {
    dimensions += (dimensions.empty() ? "" : ", ") + std::to_string(dimension);
  }
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dimensions +
                       (shape.size() == 1 ? ",), }" : "), }");
  // Magic, version and length take 10 bytes; spaces and a line end fill up to 64.
  constexpr std::size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  std::string prefix = "\x93NUMPY";
  prefix += '\1';
  prefix += '\0';
  prefix += static_cast<char>(header.size() % 256);
  prefix += static_cast<char>(header.size() / 256);
  state_->file.append(std::as_bytes(std::span(prefix)));
  state_->file.append(std::as_bytes(std::span(header)));
}

NpyFile::~NpyFile() = default;

void NpyFile::append(std::span<const float> values) { state_->file.append(std::as_bytes(values)); }

void NpyFile::commit() { state_->file.commit(); }

}  // namespace bitnet::cli
