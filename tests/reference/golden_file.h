// SPDX-License-Identifier: MIT
// The golden files of tests/golden, read without the library's own readers.
#pragma once

#include <cstddef>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace bitnet::reference {

/// One tensor of a safetensors file.
struct GoldenTensor {
  std::string dtype;  ///< as the file says: "F32", "BF16", "I8", ...
  std::vector<std::size_t> shape;
  std::vector<std::byte> bytes;

  std::size_t numel() const;
  /// The bytes as elements of T; throws if they are no whole number per element.
  template <class T>
  std::vector<T> values() const {
    if (bytes.size() != numel() * sizeof(T)) {
      throw std::runtime_error("golden tensor: read as an element of the wrong size");
    }
    std::vector<T> result(numel());
    std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }
  /// F32, F16, BF16 exactly; F64 rounded to float.
  std::vector<float> floats() const;
};

/// All tensors of tests/golden/`path`.
class GoldenFile {
 public:
  explicit GoldenFile(const std::string& path);

  bool contains(const std::string& name) const { return tensors_.contains(name); }
  const GoldenTensor& at(const std::string& name) const { return tensors_.at(name); }
  const std::map<std::string, GoldenTensor>& tensors() const { return tensors_; }

 private:
  std::map<std::string, GoldenTensor> tensors_;
};

/// tests/golden/`path` as JSON.
nlohmann::json read_golden_json(const std::string& path);

}  // namespace bitnet::reference
