// SPDX-License-Identifier: MIT
#include "gguf_matrix.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "reference/naive_half.h"

namespace bitnet {
namespace {

int byte_at(const StoredTensor& tensor, std::size_t offset) {
  return std::to_integer<int>(tensor.bytes[offset]);
}

float half_at(const StoredTensor& tensor, std::size_t offset) {
  return static_cast<float>(reference::widen(
      static_cast<std::uint16_t>(byte_at(tensor, offset) | byte_at(tensor, offset + 1) << 8),
      reference::kFloat16));
}

float float_at(const StoredTensor& tensor, std::size_t offset) {
  float value = 0;
  std::memcpy(&value, tensor.bytes.data() + offset, sizeof value);
  return value;
}

int code_of_i2_s(const StoredTensor& tensor, std::size_t i) {
  const std::size_t in_block = i % 128;
  return byte_at(tensor, i / 128 * 32 + in_block % 32) >> (6 - 2 * (in_block / 32)) & 3;
}

int code_of_q2_0(const StoredTensor& tensor, std::size_t i) {
  return byte_at(tensor, i / 64 * 18 + 2 + i % 64 / 4) >> (2 * (i % 4)) & 3;
}

int code_of_q4_0(const StoredTensor& tensor, std::size_t i) {
  const std::size_t in_block = i % 32;
  return (byte_at(tensor, i / 32 * 18 + 2 + in_block % 16) >> (in_block / 16 * 4) & 15) - 7;
}

/// trit + 1
int code_of(const StoredTensor& tensor, std::size_t i) {
  switch (tensor.encoding) {
    case Encoding::i2_s:
      return code_of_i2_s(tensor, i);
    case Encoding::q2_0:
      return code_of_q2_0(tensor, i);
    case Encoding::q4_0:
      return code_of_q4_0(tensor, i);
    case Encoding::f16:
      return static_cast<int>(half_at(tensor, 2 * i)) + 1;
    default:
      throw std::runtime_error("no naive decoder for " + tensor.type_name);
  }
}

/// Blocks hold d = 1, or 0 where all trits are 0.
void require_unit_block(const StoredTensor& tensor, std::size_t i, int trit) {
  const bool q2_0 = tensor.encoding == Encoding::q2_0;
  const bool q4_0 = tensor.encoding == Encoding::q4_0;
  if ((q2_0 || q4_0) && trit != 0 && half_at(tensor, i / (q2_0 ? 64 : 32) * 18) != 1.0F) {
    throw std::runtime_error("block scale is not 1");
  }
}

}  // namespace

UnpackedMatrix unpack_gguf(const Checkpoint& file, const std::string& name) {
  const StoredTensor* const tensor = file.find(name + ".weight");
  if (tensor == nullptr) {
    throw std::runtime_error("no tensor " + name);
  }
  UnpackedMatrix matrix;
  const std::size_t count = tensor->shape.numel();
  for (std::size_t i = 0; i < count; ++i) {
    const int trit = code_of(*tensor, i) - 1;
    require_unit_block(*tensor, i, trit);
    matrix.trits.push_back(trit);
  }
  const StoredTensor* const scale = file.find(name + ".scale");
  if ((scale != nullptr) == (tensor->encoding == Encoding::i2_s)) {
    throw std::runtime_error(name + ": scale tensor where none belongs, or none where one does");
  }
  matrix.scale = scale != nullptr ? float_at(*scale, 0) : float_at(*tensor, count / 4);
  return matrix;
}

std::vector<int> unpack_hugging_face(const reference::GoldenTensor& weight) {
  const std::size_t strip = weight.shape[0];
  const std::size_t columns = weight.shape[1];
  std::vector<int> trits;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t r = 0; r < strip; ++r) {
      for (std::size_t k = 0; k < columns; ++k) {
        const int byte = std::to_integer<int>(weight.bytes[r * columns + k]);
        trits.push_back((byte >> (2 * i) & 3) - 1);
      }
    }
  }
  return trits;
}

}  // namespace bitnet
