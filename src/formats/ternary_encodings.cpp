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
#include "formats/k_quants.h"
#include "formats/trit_checks.h"

namespace bitnet {
namespace {

std::string where(const StoredTensor& tensor) {
  return message(tensor.file.string(), ": tensor '", tensor.name, "'");
}

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
      throw UnsupportedError(
          message(where(tensor), ": expected integers with a scale, found ", tensor.type_name));
    }
    if (extent_.rows % codec_->interleaved_rows != 0 || extent_.columns % layout_.elements != 0) {
      throw UnsupportedError(message(where(tensor), ": ", to_string(tensor.encoding),
                                     ": expected a multiple of ", codec_->interleaved_rows,
                                     " rows of a multiple of ", layout_.elements,
                                     " numbers, found ", tensor.shape.to_string()));
    }
  }

  std::size_t rows() const { return extent_.rows; }
  std::size_t columns() const { return extent_.columns; }
  std::size_t blocks() const { return blocks_; }
  std::size_t block_elements() const { return layout_.elements; }

  void decode(std::size_t row, std::size_t block, std::int8_t* integers) const {
    codec_->decode(address(row, block), row % codec_->interleaved_rows, integers);
  }
  int code(std::int8_t integer) const { return integer + codec_->code_bias; }

  /// Scales beyond the first of a row differ only where blocks have their own.
  std::size_t scales_per_row() const { return codec_->scale_offset ? blocks_ : 1; }
  float scale(std::size_t row, std::size_t block) const {
    if (codec_->scale_offset) {
      return load_half(address(row, block) + *codec_->scale_offset);
    }
    if (layout_.row_header != 0) {
      const std::byte* const header =
          group_address(row) + row % codec_->interleaved_rows * layout_.row_header;
      return layout_.row_header == sizeof(float) ? load_float(header) : load_half(header);
    }
    return load_float(group_address(extent_.rows));
  }

 private:
  static float load_float(const std::byte* from) {
    float value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static float load_half(const std::byte* from) {
    std::uint16_t half = 0;
    std::memcpy(&half, from, sizeof half);
    return half_to_float(half);
  }

  /// Of the interleaved rows that `row` belongs to: their headers, then their blocks.
  const std::byte* group_address(std::size_t row) const {
    const std::size_t row_bytes = layout_.row_header + blocks_ * layout_.bytes;
    return tensor_.bytes.data() + (row - row % codec_->interleaved_rows) * row_bytes;
  }
  const std::byte* address(std::size_t row, std::size_t block) const {
    return group_address(row) +
           codec_->interleaved_rows * (layout_.row_header + block * layout_.bytes);
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

void decode_k_quant(const StoredTensor& tensor, const KQuantCodec& codec, std::size_t first,
                    std::span<float> out) {
  const std::size_t block_bytes = block_layout(tensor.encoding).bytes;
  const std::byte* block = tensor.bytes.data() + first / KQuantCodec::kElements * block_bytes;
  for (std::size_t i = 0; i < out.size(); i += KQuantCodec::kElements) {
    codec.decode(block, out.data() + i);
    block += block_bytes;
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
  if (!are_trits(trits)) {
    const auto bad = std::find_if_not(trits.begin(), trits.end(), is_trit);
    const auto index = static_cast<std::size_t>(bad - trits.begin());
    throw TernaryError(std::string(to_string(encoding)), index / columns, index % columns, *bad);
  }
}

}  // namespace

bool is_ternary_type(Encoding encoding) {
  switch (encoding) {
    case Encoding::i2_s:
    case Encoding::i2_s_64:
    case Encoding::i2_s_rows4:
    case Encoding::tq1_0:
    case Encoding::tq2_0:
    case Encoding::iq1_bn:
    case Encoding::iq2_bn:
    case Encoding::iq2_bn_r4:
      return true;
    default:
      return false;
  }
}

bool holds_trits(Encoding encoding) {
  return is_ternary_type(encoding) || encoding == Encoding::q2_0 || encoding == Encoding::q4_0;
}

std::size_t required_multiple(Encoding encoding) { return block_layout(encoding).elements; }

std::size_t encoded_row_bytes(Encoding encoding, std::size_t columns) {
  const BlockCodec* codec = find_block_codec(encoding);
  if (codec == nullptr || codec->encode == nullptr) {
    throw UnsupportedError(message(
        "expected a type that trits are written as (I2_S, TQ1_0, TQ2_0, Q2_0, Q4_0), found ",
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
  for (std::size_t i = 0; i < row_count; ++i) {
    const auto trits = out.subspan(i * blocks.columns(), blocks.columns());
    for (std::size_t block = 0; block < blocks.blocks(); ++block) {
      blocks.decode(first_row + i, block, trits.data() + block * blocks.block_elements());
    }
    if (!are_trits(trits)) {
      const auto bad = std::find_if_not(trits.begin(), trits.end(), is_trit);
      throw TernaryError(where(tensor), first_row + i,
                         static_cast<std::size_t>(bad - trits.begin()), blocks.code(*bad));
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
    for (std::size_t block = 0; block < blocks.scales_per_row(); ++block) {
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
  const auto convert = [](auto number) { return static_cast<float>(number); };
  switch (tensor.encoding) {
    case Encoding::f32:
      return convert_elements<float>(tensor, first, out, convert);
    case Encoding::f64:
      return convert_elements<double>(tensor, first, out, convert);
    case Encoding::f16:
      return convert_elements<std::uint16_t>(tensor, first, out, half_to_float);
    case Encoding::bf16:
      return convert_elements<std::uint16_t>(tensor, first, out, bfloat16_to_float);
    case Encoding::i8:
      return convert_elements<std::int8_t>(tensor, first, out, convert);
    case Encoding::i16:
      return convert_elements<std::int16_t>(tensor, first, out, convert);
    case Encoding::i32:
      return convert_elements<std::int32_t>(tensor, first, out, convert);
    case Encoding::i64:
      return convert_elements<std::int64_t>(tensor, first, out, convert);
    case Encoding::u8:
      return convert_elements<std::uint8_t>(tensor, first, out, convert);
    case Encoding::u16:
      return convert_elements<std::uint16_t>(tensor, first, out, convert);
    case Encoding::u32:
      return convert_elements<std::uint32_t>(tensor, first, out, convert);
    case Encoding::u64:
      return convert_elements<std::uint64_t>(tensor, first, out, convert);
    case Encoding::boolean:
      return convert_elements<std::uint8_t>(
          tensor, first, out, [](std::uint8_t byte) { return byte != 0 ? 1.0F : 0.0F; });
    default:
      if (const KQuantCodec* k_quant = find_k_quant(tensor.encoding)) {
        return decode_k_quant(tensor, *k_quant, first, out);
      }
      return decode_blocks_to_float(tensor, first_row, row_count, out);
  }
}

}  // namespace bitnet
