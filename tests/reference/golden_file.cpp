// SPDX-License-Identifier: MIT
#include "reference/golden_file.h"

#include <fstream>
#include <iterator>

#include "reference/naive_half.h"

namespace bitnet::reference {
namespace {

std::string read_golden(const std::string& path) {
  std::ifstream file(std::string(BITNET_GOLDEN_DIR) + "/" + path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("golden file missing: " + path);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::size_t GoldenTensor::numel() const {
  std::size_t product = 1;
  for (const std::size_t dim : shape) {
    product *= dim;
  }
  return product;
}

std::vector<float> GoldenTensor::floats() const {
  if (dtype == "F32") {
    return values<float>();
  }
  std::vector<float> result;
  if (dtype == "F64") {
    for (const double x : values<double>()) {
      result.push_back(static_cast<float>(x));
    }
    return result;
  }
  if (dtype != "F16" && dtype != "BF16") {
    throw std::runtime_error("golden tensor: no floats in " + dtype);
  }
  for (const std::uint16_t bits : values<std::uint16_t>()) {
    result.push_back(static_cast<float>(widen(bits, dtype == "F16" ? kFloat16 : kBFloat16)));
  }
  return result;
}

GoldenFile::GoldenFile(const std::string& path) {
  const std::string file = read_golden(path);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), sizeof header_bytes);
  const auto header = nlohmann::json::parse(file.substr(8, header_bytes));
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      continue;
    }
    GoldenTensor& tensor = tensors_[name];
    tensor.dtype = entry.at("dtype").get<std::string>();
    tensor.shape = entry.at("shape").get<std::vector<std::size_t>>();
    const auto offsets = entry.at("data_offsets").get<std::vector<std::size_t>>();
    tensor.bytes.resize(offsets.at(1) - offsets.at(0));
    file.copy(reinterpret_cast<char*>(tensor.bytes.data()), tensor.bytes.size(),
              8 + header_bytes + offsets.at(0));
  }
}

nlohmann::json read_golden_json(const std::string& path) {
  return nlohmann::json::parse(read_golden(path));
}

}  // namespace bitnet::reference
