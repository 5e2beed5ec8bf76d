// SPDX-License-Identifier: MIT
// Checkpoint folders made for one test: as small as a model can be, and as wrong as the test wants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bitnet {

/// An empty folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::size_t file_count() const;

 private:
  std::filesystem::path path_;
};

std::string read_bytes(const std::filesystem::path& path);

/// One layer of the BitNetForCausalLM family, float32 weights between -1 and 1, one head.
struct TinyModel {
  struct Tensor {
    std::string dtype;  // "F32" or "U8"
    std::vector<std::size_t> shape;
    std::string bytes;
    std::size_t zeros = 0;  // bytes that follow, a hole in the file
  };

  TinyModel(std::size_t hidden_size, std::size_t intermediate_size);

  void set_floats(const std::string& name, const std::vector<std::size_t>& shape,
                  const std::vector<float>& values);
  void set_bytes(const std::string& name, const std::vector<std::size_t>& shape,
                 const std::vector<std::uint8_t>& values);
  /// F32 zeros that take room neither in memory nor on the disk.
  void set_zeros(const std::string& name, const std::vector<std::size_t>& shape);
  std::vector<float> floats(const std::string& name) const;

  /// config.json and model.safetensors, written without the library. The tensors start at an odd
  /// byte of the file, so that none is aligned.
  void write(const std::filesystem::path& folder) const;

  nlohmann::json config;
  std::map<std::string, Tensor> tensors;
};

}  // namespace bitnet
