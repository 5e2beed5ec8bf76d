// SPDX-License-Identifier: MIT
#include "formats/encoding.h"

#include <bitnet/error.h>

#include "base/message.h"

namespace bitnet {

std::string_view to_string(Encoding encoding) {
  switch (encoding) {
    case Encoding::f32:
      return "F32";
    case Encoding::f16:
      return "F16";
    case Encoding::bf16:
      return "BF16";
    case Encoding::f64:
      return "F64";
    case Encoding::i8:
      return "I8";
    case Encoding::i16:
      return "I16";
    case Encoding::i32:
      return "I32";
    case Encoding::i64:
      return "I64";
    case Encoding::u8:
      return "U8";
    case Encoding::u16:
      return "U16";
    case Encoding::u32:
      return "U32";
    case Encoding::u64:
      return "U64";
    case Encoding::boolean:
      return "BOOL";
    case Encoding::q4_0:
      return "Q4_0";
    case Encoding::q8_0:
      return "Q8_0";
    case Encoding::q2_0:
      return "Q2_0";
    case Encoding::tq1_0:
      return "TQ1_0";
    case Encoding::tq2_0:
      return "TQ2_0";
    case Encoding::i2_s:
      return "I2_S";
    case Encoding::q4_k:
      return "Q4_K";
    case Encoding::q5_k:
      return "Q5_K";
    case Encoding::q6_k:
      return "Q6_K";
    case Encoding::iq1_bn:
      return "IQ1_BN";
    case Encoding::iq2_bn:
      return "IQ2_BN";
    case Encoding::iq2_bn_r4:
      return "IQ2_BN_R4";
    case Encoding::i2_s_64:
      return "I2_S (blocks of 64)";
    case Encoding::i2_s_rows4:
      return "I2_S (4 rows interleaved)";
    default:
      break;
  }
  return "other";
}

std::size_t declared_size(const TensorDeclaration& tensor) {
  const BlockLayout layout = block_layout(tensor.encoding);
  const MatrixExtent extent = matrix_extent(tensor.shape);
  if (tensor.encoding == Encoding::other || extent.columns % layout.elements != 0) {
    throw UnsupportedError(message("tensor '", tensor.name, "' ", tensor.shape.to_string(),
                                   ": cannot be stored as ", to_string(tensor.encoding),
                                   ", which takes rows of a multiple of ", layout.elements));
  }
  const std::optional<std::size_t> size = encoded_size(layout, extent);
  if (!size) {
    throw ShapeMismatch(message("tensor '", tensor.name, "' ", tensor.shape.to_string(),
                                ": the number of bytes overflows"));
  }
  return *size;
}

}  // namespace bitnet
