// SPDX-License-Identifier: MIT
#pragma once

#include <bitnet/checkpoint.h>

#include <span>
#include <string>

namespace bitnet::test {

/// A tensor as a reader would give it, over bytes that the caller keeps.
inline StoredTensor stored_tensor(Encoding encoding, const Shape& shape,
                                  std::span<const std::byte> bytes) {
  StoredTensor tensor;
  tensor.name = "weight";
  tensor.encoding = encoding;
  tensor.type_name = to_string(encoding);
  tensor.shape = shape;
  tensor.bytes = bytes;
  tensor.file = "test";
  return tensor;
}

}  // namespace bitnet::test
