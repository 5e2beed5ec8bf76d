// SPDX-License-Identifier: MIT
#include "formats/hf_packed.h"

#include <bitnet/error.h>

#include <algorithm>
#include <cmath>

#include "base/message.h"
#include "formats/encoding.h"
#include "formats/ternary_encodings.h"
#include "formats/trit_checks.h"

namespace bitnet {
namespace {

constexpr std::size_t kRowsPerByte = 4;

std::string where(const StoredTensor& tensor) {
  return message(tensor.file.string(), ": tensor '", tensor.name, "'");
}

}  // namespace

std::vector<std::byte> encode_hf_packed(std::span<const std::int8_t> trits, std::size_t rows,
                                        std::size_t columns) {
  if (rows % kRowsPerByte != 0 || trits.size() != Shape{rows, columns}.numel()) {
    throw ShapeMismatch(message("packed ternary weight: expected ", rows, " x ", columns,
                                " trits in a multiple of 4 rows, found ", trits.size()));
  }
  if (!are_trits(trits)) {
    const auto bad = std::find_if_not(trits.begin(), trits.end(), is_trit);
    const auto index = static_cast<std::size_t>(bad - trits.begin());
    throw TernaryError("packed ternary weight", index / columns, index % columns, *bad);
  }
  const std::size_t strip_size = trits.size() / kRowsPerByte;
  const std::int8_t* const t = trits.data();
  std::vector<std::byte> bytes(strip_size);
  for (std::size_t i = 0; i < strip_size; ++i) {
    // Shifts of codes as products: 85 = 1 + 4 + 16 + 64 adds one to each trit.
    bytes[i] = static_cast<std::byte>(t[i] + 4 * t[i + strip_size] + 16 * t[i + 2 * strip_size] +
                                      64 * t[i + 3 * strip_size] + 85);
  }
  return bytes;
}

void decode_hf_packed(const StoredTensor& weight, std::size_t out_features, std::size_t first_row,
                      std::size_t row_count, std::span<std::int8_t> out) {
  const std::size_t strip_rows = out_features / kRowsPerByte + (out_features % kRowsPerByte != 0);
  if (weight.encoding != Encoding::u8 || weight.shape.rank() != 2 ||
      weight.shape[0] != strip_rows) {
    throw FormatError(message(where(weight), ": expected U8 [", strip_rows, ", in] for ",
                              out_features, " packed rows, found ", weight.type_name, " ",
                              weight.shape.to_string()));
  }
  const std::size_t columns = weight.shape[1];
  if (first_row > out_features || row_count > out_features - first_row ||
      out.size() != row_count * columns) {
    throw ShapeMismatch(message(where(weight), ": expected rows within 0..", out_features,
                                ", found ", first_row, " + ", row_count, " for ", out.size(),
                                " trits"));
  }
  for (std::size_t i = 0; i < row_count; ++i) {
    const std::size_t row = first_row + i;
    const std::byte* const bytes = weight.bytes.data() + row % strip_rows * columns;
    const auto shift = static_cast<unsigned>(2 * (row / strip_rows));
    const auto trits = out.subspan(i * columns, columns);
    for (std::size_t k = 0; k < columns; ++k) {
      trits[k] =
          static_cast<std::int8_t>(std::to_integer<int>(bytes[k] >> shift & std::byte{3}) - 1);
    }
    if (!are_trits(trits)) {
      const auto bad = std::find_if_not(trits.begin(), trits.end(), is_trit);
      throw TernaryError(where(weight), row, static_cast<std::size_t>(bad - trits.begin()),
                         *bad + 1);
    }
  }
}

float read_hf_scale(const StoredTensor& weight_scale, HfScaleMeaning meaning) {
  if (weight_scale.shape.numel() != 1) {
    throw FormatError(message(where(weight_scale), ": expected one number, found shape ",
                              weight_scale.shape.to_string()));
  }
  float stored = 0;
  decode_to_float(weight_scale, 0, 1, {&stored, 1});
  const float scale = meaning == HfScaleMeaning::multiplier ? stored : 1.0F / stored;
  if (!(stored > 0.0F) || !std::isfinite(stored) || !std::isfinite(scale)) {
    throw QuantizationError(
        message(where(weight_scale), ": expected a positive finite scale, found ", stored));
  }
  return scale;
}

}  // namespace bitnet
