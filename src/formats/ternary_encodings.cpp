// SPDX-License-Identifier: MIT
#include "formats/ternary_encodings.h"

#include <bitnet/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "base/message.h"
#include "formats/block_codecs.h"
#include "formats/encoding.h"

namespace bitnet {
namespace {

/// Walks the blocks of some rows of a stored tensor.
class BlockRows {
 public:
  explicit BlockRows(const StoredTensor& tensor)
      : tensor_(tensor),
        codec_(find_block_codec(tensor.encoding)),
        layout_(block_layout(tensor.encoding)),
        extent_(matrix_extent(tensor.shape)),
        blocks_(extent_.columns / layout_.elements) {
    if (codec_ == nullptr) {
      throw UnsupportedError(message(tensor.file.string(), ": tensor '", tensor.name,
                                     "': cannot decode type ", tensor.type_name));
    }
  }

  std::size_t rows() const { return extent_.rows; }
  std::size_t blocks() const { return blocks_; }
  std::size_t block_elements() const { return layout_.elements; }

  void decode(std::size_t row, std::size_t block, std::int8_t* integers) const {
    codec_->decode(address(row, block), integers);
  }
  int code(std::int8_t integer) const { return integer + codec_->code_bias; }
  float scale(std::size_t row, std::size_t block) const {
    if (!codec_->scale_offset) {
      float scale = 0;
      std::memcpy(&scale, address(rows(), 0), sizeof scale);
      return scale;
    }
    std::uint16_t half = 0;
    std::memcpy(&half, address(row, block) + *codec_->scale_offset, sizeof half);
    return half_to_float(half);
  }

 private:
  const std::byte* address(std::size_t row, std::size_t block) const {
    return tensor_.bytes.data() + (row * blocks_ + block) * layout_.bytes;
  }

  const StoredTensor& tensor_;
  const BlockCodec* codec_;
  BlockLayout layout_;
  MatrixExtent extent_;
  std::size_t blocks_;
};

void check_rows(const StoredTensor& tensor, std::size_t first_row, std::size_t row_count,
                std::size_t out_size) {
  const MatrixExtent extent = matrix_extent(tensor.shape);
  if (first_row > extent.rows || row_count > extent.rows - first_row) {
    throw ShapeMismatch(message("tensor '", tensor.name, "': expected rows within 0..", extent.rows,
                                ", found ", first_row, " + ", row_count));
  }
  if (out_size != row_count * extent.columns) {
    throw ShapeMismatch(message("tensor '", tensor.name, "': expected room for ",
                                row_count * extent.columns, " numbers, found ", out_size));
  }
}

/// Elements [first, first + out.size()) of a tensor that stores them one by one.
template <class Stored, class Convert>
void convert_elements(const StoredTensor& tensor, std::size_t first, std::span<float> out,
                      const Convert& convert) {
  const std::byte* from = tensor.bytes.data() + first * sizeof(Stored);
  for (float& value : out) {
    Stored stored;
    std::memcpy(&stored, from, sizeof stored);
    value = convert(stored);
    from += sizeof stored;
  }
}

void decode_blocks_to_float(const StoredTensor& tensor, std::size_t first_row,
                            std::size_t row_count, std::span<float> out) {
  const BlockRows blocks(tensor);
  if (out.empty()) {
    return;  // rows of no columns: as many as the file pleases
  }
  std::array<std::int8_t, BlockCodec::kMaxElements> integers;
  float* to = out.data();
  for (std::size_t row = first_row; row < first_row + row_count; ++row) {
    for (std::size_t block = 0; block < blocks.blocks(); ++block) {
      blocks.decode(row, block, integers.data());
      const float scale = blocks.scale(row, block);
      to = std::transform(integers.begin(), integers.begin() + blocks.block_elements(), to,
                          [scale](std::int8_t integer) { return scale * integer; });
    }
  }
}

/// The float16 of a block scale, which must stay a positive finite number.
std::uint16_t half_scale(Encoding encoding, float scale) {
  const std::uint16_t half = float_to_half(scale);
  const float stored = half_to_float(half);
  if (!(stored > 0.0F) || !std::isfinite(stored)) {
    throw QuantizationError(
        message(to_string(encoding), ": expected a scale that float16 can hold, found ", scale));
  }
  return half;
}

void check_trits(Encoding encoding, std::span<const std::int8_t> trits, std::size_t columns) {
  const auto bad =
      std::find_if(trits.begin(), trits.end(), [](std::int8_t t) { return t < -1 || t > 1; });
  if (bad != trits.end()) {
    const auto index = static_cast<std::size_t>(bad - trits.begin());
    throw TernaryError(std::string(to_string(encoding)), index / columns, index % columns, *bad);
  }
}

}  // namespace

bool holds_trits(Encoding encoding) {
  const BlockCodec* codec = find_block_codec(encoding);
  return codec != nullptr && codec->encode != nullptr;
}

std::size_t required_multiple(Encoding encoding) { return block_layout(encoding).elements; }

std::size_t encoded_row_bytes(Encoding encoding, std::size_t columns) {
  if (!holds_trits(encoding)) {
    throw UnsupportedError(
        message("expected a type that holds trits (I2_S, TQ1_0, TQ2_0, Q2_0, Q4_0), found ",
                to_string(encoding)));
  }
  const BlockLayout layout = block_layout(encoding);
  if (columns % layout.elements != 0) {
    throw UnsupportedError(message(to_string(encoding), ": expected rows of a multiple of ",
                                   layout.elements, " weights, found ", columns));
  }
  return columns / layout.elements * layout.bytes;
}

void encode_ternary_rows(Encoding encoding, std::span<const std::int8_t> trits, std::size_t columns,
                         float scale, std::span<std::byte> out) {
  const std::size_t row_bytes = encoded_row_bytes(encoding, columns);
  if (columns == 0 || trits.size() % columns != 0 ||
      out.size() != trits.size() / columns * row_bytes) {
    throw ShapeMismatch(message(to_string(encoding), ": expected whole rows of ", columns,
                                " trits and ", row_bytes, " bytes, found ", trits.size(),
                                " trits and ", out.size(), " bytes"));
  }
  check_trits(encoding, trits, columns);
  const BlockCodec& codec = *find_block_codec(encoding);
  const BlockLayout layout = block_layout(encoding);
  const std::uint16_t half = codec.scale_offset ? half_scale(encoding, scale) : std::uint16_t{0};
  for (std::size_t block = 0; block < trits.size() / layout.elements; ++block) {
    const auto block_trits = trits.subspan(block * layout.elements, layout.elements);
    std::byte* const bytes = out.data() + block * layout.bytes;
    codec.encode(block_trits.data(), bytes);
    if (codec.scale_offset) {
      const bool all_zero = std::all_of(block_trits.begin(), block_trits.end(),
                                        [](std::int8_t trit) { return trit == 0; });
      const std::uint16_t stored = all_zero ? std::uint16_t{0} : half;
      std::memcpy(bytes + *codec.scale_offset, &stored, sizeof stored);
    }
  }
}

std::array<std::byte, kI2sTailBytes> i2_s_tail(float scale) {
  std::array<std::byte, kI2sTailBytes> tail{};
  std::memcpy(tail.data(), &scale, sizeof scale);
  return tail;
}

void decode_trits(const StoredTensor& tensor, std::size_t first_row, std::size_t row_count,
                  std::span<std::int8_t> out) {
  check_rows(tensor, first_row, row_count, out.size());
  const BlockRows blocks(tensor);
  if (out.empty()) {
    return;  // rows of no columns: as many as the file pleases
  }
  std::int8_t* to = out.data();
  for (std::size_t row = first_row; row < first_row + row_count; ++row) {
    for (std::size_t block = 0; block < blocks.blocks(); ++block, to += blocks.block_elements()) {
      blocks.decode(row, block, to);
      const std::int8_t* const end = to + blocks.block_elements();
      const auto* bad = std::find_if(to, to + blocks.block_elements(), [](std::int8_t integer) {
        return integer < -1 || integer > 1;
      });
      if (bad != end) {
        throw TernaryError(message(tensor.file.string(), ": tensor '", tensor.name, "'"), row,
                           block * blocks.block_elements() + static_cast<std::size_t>(bad - to),
                           blocks.code(*bad));
      }
    }
  }
}

std::optional<float> common_scale(const StoredTensor& tensor) {
  const BlockRows blocks(tensor);
  if (blocks.blocks() == 0) {
    return std::nullopt;  // rows of no columns: as many as the file pleases
  }
  std::optional<float> common;
  for (std::size_t row = 0; row < blocks.rows(); ++row) {
    for (std::size_t block = 0; block < blocks.blocks(); ++block) {
      const float scale = blocks.scale(row, block);
      if (scale == 0.0F) {
        continue;
      }
      if (common && scale != *common) {
        return std::nullopt;
      }
      common = scale;
    }
  }
  return common;
}

void decode_to_float(const StoredTensor& tensor, std::size_t first_row, std::size_t row_count,
                     std::span<float> out) {
  check_rows(tensor, first_row, row_count, out.size());
  const std::size_t first = first_row * matrix_extent(tensor.shape).columns;
  switch (tensor.encoding) {
    case Encoding::f32:
      return convert_elements<float>(tensor, first, out, [](float x) { return x; });
    case Encoding::f64:
      return convert_elements<double>(tensor, first, out,
                                      [](double x) { return static_cast<float>(x); });
    case Encoding::f16:
      return convert_elements<std::uint16_t>(tensor, first, out, half_to_float);
    case Encoding::bf16:
      return convert_elements<std::uint16_t>(tensor, first, out, bfloat16_to_float);
    default:
      return decode_blocks_to_float(tensor, first_row, row_count, out);
  }
}

}  // namespace bitnet
